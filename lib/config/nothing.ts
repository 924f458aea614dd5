import { type JsonSchema, propertyOf, schemaAt, takesNull, withoutNull } from './json-schema';
import { type Located, type Path, plain } from './located';
import { whyUnsupported } from './unsupported';

/**
 * PaddleSlim's way to leave a key off: `none` in any case, or nothing, stand for "not given". The key goes, unless nothing
 * is a value of its own there, or `none` is a name that the key knows.
 */
export function dropNothing(root: Located, schema: JsonSchema): void {
  const document = plain(root);
  const visit = (node: Located, path: Path): void => {
    if (!(node.value instanceof Map)) return;
    const own = schemaAt(schema, document, path);
    for (const [key, { value }] of node.value) {
      visit(value, [...path, key]);
      const inner = propertyOf(own, key);
      const isNone = typeof value.value === 'string' && value.value.toLowerCase() === 'none';
      if (!inner) {
        // What isn't supported may be left off in the same way.
        if (own && (isNone || value.value === null) && whyUnsupported(key) !== undefined) node.value.delete(key);
        continue;
      }
      if (isNone) value.value = withoutNull(inner).enum?.includes('none') ? 'none' : null;
      if (value.value === null && !takesNull(inner) && !own?.required?.includes(key)) node.value.delete(key);
    }
  };
  visit(root, []);
}
