import path from 'node:path';

/** Where something of a configuration is written. */
export interface Place {
  /** What messages call it: the file, or the option `--set …`. */
  source: string;
  /** From 1; none of an option. */
  line?: number;
  column?: number;
  /** What paths there are relative to. */
  folder: string;
}

/** A value that knows where it is written. */
export interface Located {
  place: Place;
  value: Scalar | Located[] | Map<string, LocatedEntry>;
}

export type Scalar = string | number | boolean | null;

export interface LocatedEntry {
  /** Of the key; the value has its own. */
  place: Place;
  value: Located;
}

export type Path = readonly PropertyKey[];

/** `file:line:column`, or the option. */
export function describePlace({ source, line, column }: Place): string {
  return line === undefined ? source : `${source}:${line}:${column}`;
}

/** The same as plain values. */
export function plain({ value }: Located): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, entry]) => [key, plain(entry.value)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

/** The value at a path; undefined where there is none. */
export function valueAt(root: Located, at: Path): Located | undefined {
  return at.reduce<Located | undefined>((node, key) => {
    if (node?.value instanceof Map) return node.value.get(String(key))?.value;
    return Array.isArray(node?.value) ? node.value[Number(key)] : undefined;
  }, root);
}

/** Where the key at the end of a path is written, or that of what it would be in. */
export function keyPlace(root: Located, at: Path): Place {
  if (at.length === 0) return root.place;
  const parent = valueAt(root, at.slice(0, -1))?.value;
  const entry = parent instanceof Map ? parent.get(String(at.at(-1))) : undefined;
  return entry?.place ?? valueAt(root, at)?.place ?? keyPlace(root, at.slice(0, -1));
}

/** Where the value at a path is written, or the key of what it would be in. */
export function valuePlace(root: Located, at: Path): Place {
  return valueAt(root, at)?.place ?? keyPlace(root, at.slice(0, -1));
}

/** A path as the file system takes it: relative to the file where it stands, and a default to the first one. */
export function resolveAt(root: Located, at: Path, name: string): string {
  return path.resolve((valueAt(root, at) ?? root).place.folder, name);
}
