"""What the broker's few pages have in common: one sheet, one style, no script, no font, no picture.

A page may load nothing and be framed by nobody. Forms go to the broker itself; where a page has none, to nobody.
"""

import base64
import hashlib

_STYLE = """
:root{color-scheme:light dark}
body{font:1rem/1.55 system-ui,sans-serif;max-width:38rem;margin:3rem auto;padding:0 1.25rem}
h1{font-size:1.35rem;line-height:1.3}
pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:.75rem 1rem;border:1px solid #8886;border-radius:.4rem}
ol{padding-left:1.2rem}
small{opacity:.75}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}
dd{margin:0;overflow-wrap:anywhere}
form{margin:1.25rem 0}
label{display:block;margin-bottom:.25rem}
input,button{font:inherit;padding:.5rem .75rem;border:1px solid #777;border-radius:.4rem}
input{box-sizing:border-box;width:100%;max-width:22rem;margin-bottom:.75rem}
.code{font-family:ui-monospace,monospace;letter-spacing:.08em}
.wrong{border-left:.25rem solid #c33;padding-left:.75rem}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def policy(form_action: str = "'none'") -> str:
    """Return the content security policy of a page whose forms go to `form_action`."""
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        f"form-action {form_action}; frame-ancestors 'none'"
    )


def sheet(title: str, body: str, head: str = "") -> str:
    """Return a whole page; everything in it has been escaped already."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{head}<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
