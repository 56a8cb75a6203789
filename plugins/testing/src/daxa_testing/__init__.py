"""What plugins and the core are tested with: an offline sky of protocol servers, and a server that misbehaves.

It knows protocols, not missions: a mission's own tables and files come from ``daxa_<mission>.testing``.
"""
