// Processes of the gateway: what a second one adds.

import { sharedAgents, startGateway } from '../contenders.ts';
import type { Series } from '../growth.ts';
import { format } from '../report/table.ts';
import { measureRequests } from '../scene.ts';
import type { RequestFigures, Scene } from '../scene.ts';
import { hasSetting } from '../variants.ts';

/** Two agents, so that two processes can have a tunnel each; the connections are shared between them by turns. */
export async function scaleWorkers(
  scene: Scene,
  { sizes, phaseMs }: { readonly sizes: readonly number[]; readonly phaseMs: number },
): Promise<Series | string> {
  if (!hasSetting('workers')) return 'this version has no `workers` in its configuration';
  const found: (RequestFigures & { readonly size: number })[] = [];
  for (const size of sizes) {
    await using gateway = await startGateway(await scene.folder(), scene.origin, {
      config: `workers: ${size}\n`,
    });
    const agent = await sharedAgents(gateway, 2);
    const figures = await measureRequests(scene, agent, phaseMs);
    found.push({ ...figures, size });
    console.error(`workers: ${size}`);
  }
  return {
    title: 'Processes of the gateway',
    sizeName: 'processes',
    curves: [
      {
        name: 'gateway CPU of a request, all processes',
        unit: 'µs',
        work: 0,
        points: found.map(({ size, cpu }) => ({ size, cost: cpu['gateway'] ?? Number.NaN })),
      },
    ],
    notes: [
      `Requests/s: ${found.map(({ size, perSecond }) => `${format(perSecond)} with ${size}`).join(', ')}. Load, origin and agents share the machine.`,
    ],
  };
}
