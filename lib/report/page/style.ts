/** How the page looks: what the browser's light or dark scheme says, from a phone's width to a wall's. */
export const style = `
:root {
  color-scheme: light dark;
  --ink: #1f2328; --muted: #59636e; --paper: #ffffff; --sheet: #f6f8fa; --line: #d1d9e0;
  --before: #8c959f; --after: #0969da; --good: #1a7f37; --bad: #cf222e;
  --hue1: #0969da; --hue2: #bc4c00; --hue3: #1a7f37; --hue4: #8250df; --hue5: #bf3989;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6edf3; --muted: #9198a1; --paper: #0d1117; --sheet: #161b22; --line: #3d444d;
    --before: #6e7681; --after: #4493f8; --good: #3fb950; --bad: #f85149;
    --hue1: #4493f8; --hue2: #f0883e; --hue3: #3fb950; --hue4: #ab7df8; --hue5: #f778ba;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header, main, footer, nav { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 0.6rem; padding-bottom: 0.3rem; border-bottom: 1px solid var(--line); font-size: 1.2rem; }
h3 { margin: 0 0 0.4rem; font-size: 1rem; }
p { max-width: 48rem; overflow-wrap: anywhere; }
header p, footer, .muted { color: var(--muted); }
header p { margin: 0.3rem 0 0; }
footer { margin-top: 2.5rem; padding-bottom: 2rem; font-size: 0.87rem; }
a { color: var(--after); }
nav ul { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; margin: 0.8rem 0 0; padding: 0; list-style: none; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { padding: 0 0 0.4rem; color: var(--muted); text-align: left; }
th, td { padding: 0.25rem 0.9rem 0.25rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--muted); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
.name { min-width: 8.5rem; max-width: 30rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
.wide:focus-visible, summary:focus-visible { outline: 2px solid var(--after); outline-offset: 2px; }
.wide > table { min-width: 100%; }
figure + .wide, .wide + .settings, .settings + details { margin-top: 1.2rem; }
.settings th { width: 13rem; color: var(--muted); font-weight: 400; }
.settings td { overflow-wrap: anywhere; }
.settings table { width: 100%; table-layout: fixed; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.warnings { padding: 0.6rem 1rem 0.6rem 2rem; border-left: 4px solid var(--hue2); background: var(--sheet); overflow-wrap: anywhere; }
.bar { display: block; width: 100%; min-width: 7rem; height: 0.65rem; margin-top: 0.45rem; }
.bar .whole { fill: var(--line); }
.bar .before { fill: var(--before); }
.bar .after { fill: var(--after); }
.pair { display: block; width: 100%; min-width: 9rem; height: 1rem; margin-top: 0.25rem; }
.pair .before { fill: var(--before); }
.pair .after { fill: var(--after); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1.2rem; }
figure { min-width: 0; margin: 0; }
.card { padding: 0.9rem 1rem; border: 1px solid var(--line); border-radius: 8px; background: var(--sheet); }
.card svg { display: block; width: 100%; height: auto; --plot-background: var(--sheet); }
figcaption { font-weight: 600; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0.1rem 0 0.4rem; padding: 0; list-style: none; font-size: 0.87rem; }
.legend svg { display: inline-block; width: 1.4rem; height: 0.7rem; margin-right: 0.35rem; }
details { margin-top: 0.7rem; }
summary { color: var(--muted); cursor: pointer; }
details .wide { max-height: 24rem; margin-top: 0.5rem; overflow: auto; }
/* Drawn as dark ink on white paper, and turned about as a whole. */
.sensitivity svg { display: block; color: #1f2328; min-width: 46rem; max-width: none; height: auto; }
@media (prefers-color-scheme: dark) { .sensitivity svg { filter: invert(0.93) hue-rotate(180deg); } }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1.2rem; }
.pictures > figure { display: grid; align-content: start; grid-template-columns: repeat(auto-fit, minmax(min(100%, 9rem), 1fr)); gap: 0.3rem 1rem; }
.pictures > figure > figcaption { grid-column: 1 / -1; overflow-wrap: anywhere; }
.pictures img { display: block; max-width: 100%; height: auto; border-radius: 4px; }
.pictures figure figure figcaption { color: var(--muted); font-weight: 400; }
@media (max-width: 30rem) {
  th, td { padding-right: 0.5rem; }
  .name { min-width: 7rem; }
  .settings th { width: 8.5rem; }
}
@media print { .card { break-inside: avoid; } details > summary { display: none; } }
`;
