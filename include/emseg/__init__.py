"""emseg: turn electron-microscopy volumes kept in DVID into neurons, at any size.

The library behind the DAGs: no Airflow and no Spark in it. `docs/architecture.md` says which room does what.
"""
