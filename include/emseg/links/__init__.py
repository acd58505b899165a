"""Links for people: neuroglancer views, DVID addresses."""

from emseg.links.addresses import instance_address, node_address
from emseg.links.neuroglancer import DEMO_APP, Layer, neuroglancer_link

__all__ = ["DEMO_APP", "Layer", "instance_address", "neuroglancer_link", "node_address"]
