"""Where this person's projects lie: found by a bounded look around, kept in a cache, ranked by what somebody calls them."""

from dispatch_daemon.adapters.projects.index import ProjectIndex
from dispatch_daemon.adapters.projects.scan import Bounds, Project, marker_in, scan, usual_roots

__all__ = ["Bounds", "Project", "ProjectIndex", "marker_in", "scan", "usual_roots"]
