import { z } from 'zod';
import type { RecipeKey } from '../train/recipe-settings';

/** Text that says something. */
export const text = z.string().min(1);
export const number = z.number();
/** From 0 to 1. */
export const share = number.min(0).max(1);
/** From 0 to below 1. */
export const fraction = number.min(0).lt(1);
export const whole = (least: number, most?: number) =>
  most === undefined ? z.int().min(least) : z.int().min(least).max(most);

/** Cuts of one strategy: more are a mistake, and would all be rehearsed. */
export const mostSteps = 1000;

/** A key that something else decides where it is missing. */
export const optional = <T extends z.ZodType>(kind: T, { describe, unset }: RecipeKey & { unset: string }) =>
  kind.optional().describe(`${describe}. Default: ${unset}`);
