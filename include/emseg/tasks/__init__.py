"""What Airflow's own tasks and the command line do: pin, plan, run a stage, gate, publish; train; review; tidy.

Each module is one task. `run_folder.py` is what they share: the documents of one run in the object store.
"""
