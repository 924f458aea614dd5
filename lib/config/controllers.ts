import { z } from 'zod';
import { number, whole } from './schema-kinds';

const saController = z.strictObject({
  class: z.literal('SAController').describe('Simulated annealing'),
  reduce_rate: number.gt(0).lt(1).default(0.85).describe('What a step leaves of the temperature'),
  init_temperature: number
    .gt(0)
    .default(1024)
    .describe('At first; widths worse by so much mAP are taken with probability 1/e: 1024 takes everything for long'),
  max_iter_number: whole(1)
    .default(300)
    .describe('Changes of a width drawn until one fits between the least and the greatest cut'),
});

export const controller = z.discriminatedUnion('class', [saController]);
export const controllers = z.record(z.string(), controller);

export type ControllerKeys = z.infer<typeof controller>;
