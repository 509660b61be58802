import type { Deviations } from '../suite.ts';

export const webSocketDeviations: readonly Deviations[] = [];
