/** Counts in the short form that people read: 1.146 G. */
export function short(value: number): string {
  const units = ['', ' k', ' M', ' G', ' T', ' P'];
  let unit = 0;
  let scaled = value;
  while (Math.abs(scaled) >= 999.95 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${plain(scaled)}${units[unit]}`;
}

/** Four digits, without exponents where that can be helped. */
export const plain = (value: number): string =>
  Number.isInteger(value) ? integers.format(value) : fractions.format(value);

export const whole = (value: number): string => integers.format(value);

// Made once: a page has thousands of numbers.
const integers = new Intl.NumberFormat('en');
const fractions = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 });
export const percent = (share: number, places = 1): string => `${(100 * share).toFixed(places)} %`.replace('-', '−');
export const score = (value: number | null): string => (value === null ? '–' : value.toFixed(4));
export const milliseconds = (value: number): string => `${value.toFixed(2)} ms`;

/** By how much something has changed: −28.4 %. */
export function changed(before: number, after: number): string {
  if (before === 0) return '–';
  const share = 100 * (after / before - 1);
  const text = Math.abs(share).toFixed(1);
  return text === '0.0' ? 'the same' : `${share < 0 ? '−' : '+'}${text} %`;
}

/** Bytes as people read them. */
export const bytes = (value: number): string => `${short(value)}B`.replace(/(\d)B$/, '$1 B');

/** 1 h 4 min, 3 min 20 s, 12.4 s. */
export function duration(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The last part of a path, of whatever system wrote it. */
export const baseName = (file: string): string => file.split(/[/\\]/).pop() || file;

export const dims = (shape: readonly number[] | null): string => (shape ? `(${shape.join(', ')})` : '–');
