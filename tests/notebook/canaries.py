"""Texts that try to run a script, load something or lead the page away, once they are shown as HTML."""

from __future__ import annotations

_RUN = "window.ran=1"

CANARIES = [
    f"<script>{_RUN}</script>",
    f"<img src=x onerror={_RUN}>",
    f"<svg onload={_RUN}></svg>",
    f"<details open ontoggle={_RUN}>x</details>",
    f'<iframe srcdoc="<script>parent.{_RUN}</script>"></iframe>',
    f"<body onload={_RUN}>",
    f"<video><source onerror={_RUN}></video>",
    f'<a href="javascript:{_RUN}">link</a>',
    f'<form action="javascript:{_RUN}"><button>go</button></form>',
    "<style>@import url(http://leak.test/style.css)</style>",
    '<div style="background:url(http://leak.test/attribute.png)">x</div>',
    '<base href="http://leak.test/">',
    '<meta http-equiv="refresh" content="0;url=http://leak.test/">',
    '<link rel="stylesheet" href="http://leak.test/link.css">',
    "<img src=http://leak.test/image.png>",
    "<object data=http://leak.test/object></object>",
    "![beacon](http://leak.test/beacon.png)",
    "![beacon][b]\n\n[b]: http://leak.test/reference.png",
    f"![x](x.png 'a\" onerror=\"{_RUN}')",
    f"[link](javascript:{_RUN})",
    f"[link](JaVaScRiPt:{_RUN})",
    f"[link](&#106;avascript:{_RUN})",
    f"[link](javascript&colon;{_RUN})",
    f"[link](java\tscript:{_RUN})",
    f"[link](java%0ascript:{_RUN})",
    f"[link](vbscript:{_RUN})",
    f"[link](data:text/html,<script>{_RUN}</script>)",
    "[link](relative/page)",
    "[link](//leak.test/scheme-relative)",
    f"<javascript:{_RUN}>",
    f'[link](http://a.test "title\\" onmouseover=\\"{_RUN}")',
    f'```"><script>{_RUN}</script>\ncode\n```',
    f'`<img src=x onerror={_RUN}>` "<img src=x onerror={_RUN}>"',
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={_RUN}&gt;">',
    f'<noscript><p title="</noscript><img src=x onerror={_RUN}>">',
    f"| a |\n|---|\n| <img src=x onerror={_RUN}> |",
    f"\x1b]8;;javascript:{_RUN}\x07link\x1b]8;;\x07 <scr\x00ipt>{_RUN}</scr\x00ipt>",
    f"# <svg/onload={_RUN}>\n> *<img src=x onerror={_RUN}>*",
]
"""Each sets ``window.ran``, asks leak.test for something, or navigates, where a hole lets it."""
