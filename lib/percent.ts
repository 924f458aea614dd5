/** `20.36 %`. */
export const percent = (share: number, digits = 2): string => `${(100 * share).toFixed(digits)} %`;
