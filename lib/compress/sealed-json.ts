import { sha256 } from '../digests';

/** JSON of a document, a line, with the SHA-256 of what stands in front of it as its last key. */
export function sealed(document: object): string {
  const text = JSON.stringify(document);
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}"sha256":"${sha256([text])}"}\n`;
}

/** The document of a text that {@link sealed} made; undefined for one that is cut short or was changed. */
export function unsealed(text: string): unknown {
  let document: object;
  try {
    const { sha256: _, ...rest } = JSON.parse(text) as Record<string, unknown>;
    document = rest;
  } catch {
    return undefined;
  }
  return sealed(document) === text ? document : undefined;
}
