"""The daemon as a service of this user: started at boot or at sign-in, and again when it ends by mistake."""
