// A process that appends to a spool until it is killed. It says what is safe, one id a line.

import { entry, smallLimits } from './spool-scene.ts';
import { SpooledAudit } from '../../../../src/gateway/audit/spool/spooled-audit.ts';

const [directory = '', batch = '3'] = process.argv.slice(2);
const spool = await SpooledAudit.open({
  directory,
  store: { leftOpen: async () => [] },
  delivery: { deliver: async () => 0, finish: async () => undefined },
  limits: smallLimits,
  onFault: () => undefined,
  onGap: () => undefined,
});
for (let number = 0; ;) {
  const entries = Array.from({ length: Number(batch) }, () => entry(`e${(number += 1)}`));
  await spool.append(entries);
  process.stdout.write(`${number}\n`);
}
