// Rules in the request path: the gateway's CPU of a request whose policy has so many.

import { originHost, startGateway } from '../contenders.ts';
import type { Curve, Series } from '../growth.ts';
import { measureRequests } from '../scene.ts';
import type { Scene } from '../scene.ts';

/** The rule that admits the requests of the bench stands first and looks at nothing; these stand behind it and could deny. */
const forms = {
  'hosts differ': (i: number) => `hosts: api-${i}.example.com`,
  'one host, paths differ': (i: number, port: number) =>
    `hosts: ${originHost}, ports: ${port}, paths: "/service-${i}/:name/items", deny: true`,
} as const;

export async function scaleRules(
  scene: Scene,
  { sizes, phaseMs }: { readonly sizes: readonly number[]; readonly phaseMs: number },
): Promise<Series> {
  const curves: Curve[] = [];
  for (const [form, rule] of Object.entries(forms)) {
    const found: { readonly size: number; readonly cpu: number; readonly p99: number }[] = [];
    for (const size of sizes) {
      const rules = Array.from(
        { length: size },
        (_, i) => `  - { name: rule-${i}, ${rule(i, scene.origin.port)} }\n`,
      ).join('');
      await using gateway = await startGateway(await scene.folder(), scene.origin, { rules });
      const agent = await gateway.startAgent();
      const { cpu, p99 } = await measureRequests(scene, agent, phaseMs);
      found.push({ size, cpu: cpu['gateway'] ?? Number.NaN, p99 });
      console.error(`rules: ${size}, ${form}`);
    }
    curves.push(
      {
        name: `gateway CPU of a request, ${form}`,
        unit: 'µs',
        work: 0,
        points: found.map(({ size, cpu }) => ({ size, cost: cpu })),
      },
      {
        name: `p99, n = 16, ${form}`,
        unit: 'µs',
        work: 0,
        points: found.map(({ size, p99 }) => ({ size, cost: p99 })),
      },
    );
  }
  return { title: 'Rules of the policy', sizeName: 'rules', curves, notes: [] };
}
