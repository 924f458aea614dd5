import path from 'node:path';
import { SsdPruneError } from '../errors';
import { readDocument } from './document';
import type { Located, LocatedEntry, Path, Place } from './located';
import type { Problems } from './problems';

/** Files that one configuration may be of; includes of includes multiply. */
const mostFiles = 64;

/** Sections whose entries have names of their own: an entry of that name replaces the whole included one. */
export const pluginSections = ['pruners', 'controllers', 'strategies'];

/**
 * A configuration file and all that it includes, as one map. What a file says itself wins over what it includes, and a
 * later include over an earlier one: key by key, plugins by name, lists as a whole.
 * @returns undefined where something is wrong that leaves no map
 * @throws {SsdPruneError} ERR_IO where `file` can't be read
 */
export async function readIncluding(file: string, problems: Problems): Promise<Included | undefined> {
  const reader = new Reader(problems);
  const root = await reader.read(file, []);
  return root && { root, files: [...reader.files] };
}

export interface Included {
  root: Located;
  /** Absolute; `file` is the first. */
  files: string[];
}

class Reader {
  /** As often as they are included. */
  private count = 0;
  readonly files = new Set<string>();

  constructor(private readonly problems: Problems) {}

  /** @param chain files that include each other down to this one, as they are named */
  async read(file: string, chain: readonly string[]): Promise<Located | undefined> {
    this.count++;
    this.files.add(path.resolve(file));
    const root = await readDocument(file, this.problems);
    if (!root) return undefined;
    if (!(root.value instanceof Map)) {
      this.problems.add(
        root.place,
        `Expected a map of sections but received ${Array.isArray(root.value) ? 'a list' : 'a value'}`,
      );
      return undefined;
    }
    const { include, ...own } = Object.fromEntries(root.value);
    const merged = new Map<string, LocatedEntry>();
    for (const item of this.included(include)) {
      const other = await this.follow(item, [...chain, file]);
      if (other) mergeMaps(merged, other, []);
    }
    mergeMaps(merged, new Map(Object.entries(own)), []);
    return { place: root.place, value: merged };
  }

  private included(entry: LocatedEntry | undefined): { place: Place; name: string }[] {
    if (!entry) return [];
    const { place, value } = entry.value;
    if (value === null) return [];
    if (!Array.isArray(value)) {
      this.problems.add(place, 'Expected a list of files for include');
      return [];
    }
    return value.flatMap((item) => {
      if (typeof item.value === 'string' && item.value.trim() !== '')
        return [{ place: item.place, name: item.value.trim() }];
      this.problems.add(item.place, 'Expected the name of a file in include');
      return [];
    });
  }

  private async follow(
    { place, name }: { place: Place; name: string },
    chain: readonly string[],
  ): Promise<Map<string, LocatedEntry> | undefined> {
    const file = path.isAbsolute(name) ? name : path.join(path.dirname(chain.at(-1)!), name);
    const circle = chain.findIndex((other) => path.resolve(other) === path.resolve(file));
    if (circle >= 0) {
      this.problems.add(place, `include goes in a circle: ${[...chain.slice(circle), file].join(' → ')}`);
      return undefined;
    }
    if (this.count >= mostFiles) {
      if (this.count++ === mostFiles)
        this.problems.add(place, `more than ${mostFiles} files, counted as often as they are included`);
      return undefined;
    }
    try {
      const { value } = (await this.read(file, chain)) ?? {};
      return value instanceof Map ? value : undefined;
    } catch (error) {
      if (!(error instanceof SsdPruneError)) throw error;
      this.problems.add(place, error.message);
      return undefined;
    }
  }
}

/** Lays one map over another, maps in it likewise. */
function mergeMaps(under: Map<string, LocatedEntry>, over: Map<string, LocatedEntry>, at: Path): void {
  for (const [key, entry] of over) {
    const below = under.get(key)?.value.value;
    const byKey = !(at.length === 1 && pluginSections.includes(String(at[0])));
    if (byKey && below instanceof Map && entry.value.value instanceof Map) {
      const mixed = new Map(below);
      mergeMaps(mixed, entry.value.value, [...at, key]);
      under.set(key, { place: entry.place, value: { place: entry.value.place, value: mixed } });
    } else under.set(key, entry);
  }
}
