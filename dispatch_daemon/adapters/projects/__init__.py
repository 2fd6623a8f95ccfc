"""Where this person's projects lie: found by a bounded look around, kept in a cache, ranked by what somebody calls them."""

from dispatch_daemon.adapters.projects.index import ProjectIndex
from dispatch_daemon.adapters.projects.scan import Bounds, Project, scan, usual_roots

__all__ = ["Bounds", "Project", "ProjectIndex", "scan", "usual_roots"]
