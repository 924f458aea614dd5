import type { PlotOptions } from '@observablehq/plot' with { 'resolution-mode': 'import' };

/**
 * A plot as the text of an SVG element, made without a browser.
 * @param paper colour behind all of it; none by default
 */
export function drawSvg(options: PlotOptions, { paper }: { paper?: string } = {}): string {
  // Loaded here, with the two hundred milliseconds that it takes, once there is something to draw.
  const { plot } = require('@observablehq/plot') as typeof import('@observablehq/plot', { with: {
    'resolution-mode': 'import',
  }});
  const { DOMImplementation, XMLSerializer } = require('@xmldom/xmldom') as typeof import('@xmldom/xmldom');
  const document = new DOMImplementation().createDocument('http://www.w3.org/2000/svg', 'svg', null);
  const svg = plot({ ...options, document: document as never });
  if (paper !== undefined) {
    const behind = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    behind.setAttribute('width', '100%');
    behind.setAttribute('height', '100%');
    behind.setAttribute('fill', paper);
    svg.insertBefore(behind as never, svg.firstChild);
  }
  return new XMLSerializer().serializeToString(svg as never);
}
