// An agent as `run` has it, without a gateway: a jail, a script of the shell in it, and how it ended. Arguments: a word, the script, and
// the layers to enter, all namespaces by default.

import { openJail } from '../../../src/agent/jail/jail-process.ts';
import { jailLayers, type JailLayer } from '../../../src/agent/jail/jail-plan.ts';
import { runWorkload } from '../../../src/cli/run/workload.ts';
import { mainFile } from '../../support/program.ts';

const [, command = '', ...named] = process.argv.slice(2);
const wanted: readonly string[] = named.length === 0 ? ['ipc', 'processes'] : named;
const layers = jailLayers.filter((layer: JailLayer) => wanted.includes(layer));
const own = process.versions['bun'] === undefined ? ['--disable-warning=ExperimentalWarning'] : [];
const args = [...own, mainFile, '=jail-helper'];
const jail = await openJail({ layers }, { file: process.execPath, args });
for (const { layer, held, reason } of jail.report.layers)
  if (!held) process.stdout.write(`without ${layer}: ${reason}\n`);
const end = await runWorkload(['sh', '-c', command], { PATH: process.env['PATH'] ?? '' }, jail);
await jail.close();
process.stdout.write(`end ${'code' in end ? `${end.code} null` : `null ${end.signal}`}\n`);
