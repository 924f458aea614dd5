import { type Html, html } from './html';

/** What a model finds on a picture. */
export interface PageDetections {
  /** The picture with its boxes drawn. */
  jpeg: Uint8Array;
  width: number;
  height: number;
  /** Best first. */
  boxes: readonly { class: string; score: number }[];
}

/** A sample picture; `after` is null where there is no model but the one. */
export interface PagePicture {
  name: string;
  before: PageDetections;
  after: PageDetections | null;
}

/** Pictures before and after, side by side. */
export function picturesSection(pictures: readonly PagePicture[]): Html | undefined {
  if (pictures.length === 0) return undefined;
  return html`<div class="pictures">${pictures.map(
    ({ name, before, after }) => html`<figure class="card"><figcaption>${name}</figcaption>
${detections(name, 'before', before)}${after && detections(name, 'after', after)}</figure>
`,
  )}</div>`;
}

function detections(name: string, when: string, { jpeg, width, height, boxes }: PageDetections): Html {
  const list = boxes.map((box) => `${box.class} ${box.score.toFixed(2)}`).join(', ') || 'nothing';
  const source = `data:image/jpeg;base64,${Buffer.from(jpeg).toString('base64')}`;
  return html`<figure><img src="${source}" width="${width}" height="${height}" alt="${name}, ${when}: ${list}"><figcaption>${when}: ${list}</figcaption></figure>`;
}
