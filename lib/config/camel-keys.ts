type Camel<Key> = Key extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : Key;

/** Keys as the library writes them; those without a value are left out. */
export function camelKeys<T extends object>(
  section: T,
): { [Key in keyof T as Camel<Key>]: Exclude<T[Key], undefined> } {
  const entries = Object.entries(section).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([key, value]) => [key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), value]),
  ) as { [Key in keyof T as Camel<Key>]: Exclude<T[Key], undefined> };
}
