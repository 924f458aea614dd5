import { nearest } from '../nearest';
import { parseLocated } from './document';
import { pluginSections } from './include';
import type { Located, Place } from './located';
import type { Problems } from './problems';

/**
 * Changes a configuration by options such as `strategies.uniform.target_ratio=0.3`, whose values are YAML.
 * @param root a map; it is changed
 */
export function applyOverrides(root: Located, options: readonly string[], problems: Problems): void {
  for (const option of options) {
    const place: Place = { source: `--set ${option}`, folder: process.cwd() };
    const [, name, text] = /^([^=]+)=(.*)$/s.exec(option) ?? [];
    const keys = name?.split('.').map((key) => key.trim()) ?? [];
    if (text === undefined || keys.some((key) => key === '' || key === '__proto__')) {
      problems.add(place, 'Expected KEY.KEY=VALUE');
    } else if (keys[0] === 'include') {
      problems.add(place, "include can't be set: files are put together before");
    } else {
      const value = text.trim() === '' ? { place, value: null } : parseLocated(text, place, problems);
      if (value) put(root, keys, value, problems);
    }
  }
}

function put(root: Located, keys: readonly string[], value: Located, problems: Problems): void {
  const { place } = value;
  let node = root;
  for (const [i, key] of keys.entries()) {
    const last = i === keys.length - 1;
    if (node.value === null) node.value = new Map();
    if (node.value instanceof Map) {
      const entry = node.value.get(key);
      if (!entry && i === 1 && !last && keys[2] !== 'class' && pluginSections.includes(keys[0]!)) {
        const known = [...node.value.keys()];
        const meant = nearest(key, known);
        const others = known.length === 0 ? ', nor any' : `, only ${known.join(', ')}`;
        problems.add(place, `${keys[0]} has no ${key}${meant === undefined ? others : `: did you mean ${meant}?`}`);
        return;
      }
      const next = last ? value : (entry?.value ?? { place, value: new Map() });
      node.value.set(key, { place: last ? place : (entry?.place ?? place), value: next });
      node = next;
    } else {
      const list = Array.isArray(node.value) ? node.value : [];
      const item = /^\d+$/.test(key) ? list[Number(key)] : undefined;
      if (!item) {
        const where = keys.slice(0, i).join('.');
        const what = Array.isArray(node.value) ? `a list of ${node.value.length}` : 'no map';
        problems.add(place, `${where} is ${what}: there is no ${JSON.stringify(key)} in it`);
        return;
      }
      if (last) list[Number(key)] = value;
      node = item;
    }
  }
}
