/** Lengths of time in milliseconds, in words. */
import { seconds } from '../../ui/format/duration';

export const duration = (ms: number): string => seconds(Math.max(0, ms) / 1000);
