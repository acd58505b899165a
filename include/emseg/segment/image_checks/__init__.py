"""Image checks: faults of the grayscale, found and treated before any step sees a subvolume.

- `checks.py`: which checks there are, and `checked_image`, which runs them and acts by the policies. Start here.
- `regions.py`, `section_faults.py` with `section_misfits.py`, `texture.py`: what each check looks for.
- `treatment.py`: what is done about a fault. `sums.py`: the passes over the voxels that the checks are made of.

To add a check, write a function from an `Inspection` to its `ImageFault`s (`fault.py`) and list it in `checks.py`;
then add a field with its name, default policy and description to `emseg.config.checks.ImageChecks`. The configuration,
its schema, the loop and the report follow from these.
"""
