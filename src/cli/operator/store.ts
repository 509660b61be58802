// `upstreamproxy store`: the state of a gateway as a whole.

import { loadGatewayConfig } from '../../gateway/config/config.ts';
import { storeAccessOf, type StoreSettings } from '../../gateway/config/store-settings.ts';
import { ProxyError } from '../../protocol/error.ts';
import { moveStore } from '../../store/move-store.ts';
import { storeDefinition } from '../commands/store-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { printableText } from '../terminal/text-table.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';
import { rowsLine, terminalProgress } from './row-line.ts';

type Actions = (typeof storeDefinition)['actions'];

/** A store by its URL, or by the configuration of a gateway on it. */
async function placeOf(text: string): Promise<StoreSettings & { readonly stateDirectory?: string }> {
  if (/^(?:sqlite|postgres(?:ql)?):/.test(text)) return { store: text };
  return await loadGatewayConfig(text);
}

async function copy({ arguments: { FROM, TO } }: Input<Actions[0]>): Promise<number> {
  const [from, to] = [await placeOf(FROM), await placeOf(TO)];
  const path = /^sqlite:(.+)$/s.exec(from.store)?.[1];
  if (path === undefined || !/^postgres(?:ql)?:/.test(to.store))
    throw new ProxyError('usage', 'FROM is a SQLite store, and TO is one on PostgreSQL');
  const progress = terminalProgress();
  const access = await storeAccessOf(to, workloadEnvironment(process.env));
  const outcome = await moveStore({
    from: path,
    to: to.store,
    access,
    nowMs: Date.now(),
    onProgress: progress.show,
  }).finally(() => progress.end());
  if (outcome.kind === 'already') {
    process.stdout.write(`an earlier call has copied it\n`);
    return 0;
  }
  const { sums, numbers } = outcome;
  process.stdout.write(`copied and compared: ${rowsLine(sums)}; newest change ${numbers.changes}\n`);
  if (to.stateDirectory !== undefined && from.stateDirectory !== to.stateDirectory)
    process.stderr.write(
      `upstreamproxy: what a gateway on FROM audits until its end is in ${printableText(from.stateDirectory ?? 'its state folder')}: start a gateway of TO once with that state folder\n`,
    );
  return 0;
}

export const storeCommand = groupOf(storeDefinition, { copy });
