// `upstreamproxy-agent session`: what of it a container needs.

import { containerSessionDefinition } from '../commands/session-definition.ts';
import { groupOf } from '../terminal/command.ts';

export const containerSessionCommand = groupOf(containerSessionDefinition, {
  narrow: async (input) => await (await import('./narrow.ts')).narrow(input),
});
