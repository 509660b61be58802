// `upstreamproxy store`: the state of a gateway as a whole.

import { loadGatewayConfig } from '../../gateway/config/config.ts';
import { storeAccessOf, type StoreSettings } from '../../gateway/config/store-settings.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { RowProgress } from '../../store/portable/row-progress.ts';
import { backUpStore, type Restored, restoreStore } from '../../store/backup-store.ts';
import { moveStore } from '../../store/move-store.ts';
import { storeDefinition } from '../commands/store-definition.ts';
import type { CommonValues, Input } from '../definition/command-definition.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { groupOf } from '../terminal/command.ts';
import { tellDone } from '../terminal/notes.ts';
import { withProgress } from '../terminal/progress.ts';
import { printableText } from '../terminal/text-table.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';
import { type LaterAudit, readLaterFacts } from './later-facts.ts';
import { progressLine, rowsLine } from './row-line.ts';

type Actions = (typeof storeDefinition)['actions'];

/** A store by its URL, or by the configuration of a gateway on it. */
async function placeOf(text: string): Promise<StoreSettings & { readonly stateDirectory?: string }> {
  if (/^(?:sqlite|postgres(?:ql)?):/.test(text)) return { store: text };
  return await loadGatewayConfig(text);
}

/** With what was read so far at a terminal. */
async function withRows<T>(
  options: CommonValues,
  action: (onProgress: (progress: RowProgress) => void) => Promise<T>,
): Promise<T> {
  let rows: RowProgress | undefined;
  return await withProgress(
    options,
    () => progressLine(rows),
    (step) =>
      action((progress) => {
        rows = progress;
        step();
      }),
  );
}

async function copy({ options, arguments: { FROM, TO } }: Input<Actions[0]>): Promise<number> {
  const [from, to] = [await placeOf(FROM), await placeOf(TO)];
  const path = /^sqlite:(.+)$/s.exec(from.store)?.[1];
  if (path === undefined || !/^postgres(?:ql)?:/.test(to.store))
    throw new ProxyError('usage', 'FROM is a SQLite store, and TO is one on PostgreSQL');
  const access = await storeAccessOf(to, workloadEnvironment(process.env));
  const outcome = await withRows(options, (onProgress) =>
    moveStore({ from: path, to: to.store, access, nowMs: Date.now(), onProgress }),
  );
  if (outcome.kind === 'already') {
    tellDone(options, 'an earlier call has copied it\n');
    return 0;
  }
  const { sums, numbers } = outcome;
  tellDone(options, `copied and compared: ${rowsLine(sums)}; newest change ${numbers.changes}\n`);
  if (to.stateDirectory !== undefined && from.stateDirectory !== to.stateDirectory)
    process.stderr.write(
      `upstreamproxy: what a gateway on FROM audits until its end is in ${printableText(from.stateDirectory ?? 'its state folder')}: start a gateway of TO once with that state folder\n`,
    );
  return 0;
}

async function backup({ options, arguments: { FILE: file } }: Input<Actions[1]>): Promise<number> {
  const config = await gatewayOfOptions(options);
  const access = await storeAccessOf(config, workloadEnvironment(process.env));
  const place = { store: config.store, access, file, nowMs: Date.now() };
  const sums = await withRows(options, (onProgress) => backUpStore({ ...place, onProgress }));
  tellDone(options, `wrote ${printableText(file)}: ${rowsLine(sums)}\n`);
  return 0;
}

async function restore({ options, arguments: { FILE: file } }: Input<Actions[2]>): Promise<number> {
  const { audit = [], 'end-all': endsAll, 'with-gap': withGap } = options;
  if (audit.length === 0 && !endsAll)
    throw new ProxyError(
      'usage',
      'what happened since the backup? give --audit FILE with the events since then, or --end-all, which ends every session of the backup',
    );
  const config = await gatewayOfOptions(options);
  const access = await storeAccessOf(config, workloadEnvironment(process.env));
  const nowMs = Date.now();
  const later = await readLaterFacts(audit, { endsAll, nowMs });
  const place = { store: config.store, access, file, nowMs };
  const requireNoGap = ({ madeMs }: { readonly madeMs: number }): void => {
    const gap = gapOf(later, madeMs);
    if (gap !== undefined && !endsAll && !withGap)
      throw new ProxyError(
        'config_invalid',
        `${gap}: sessions that were revoked then would live, and tokens that were used be fresh; name files that reach back to the backup, or say --with-gap or --end-all`,
      );
  };
  const restored = await withRows(options, (onProgress) =>
    restoreStore({ ...place, onProgress }, later.facts, requireNoGap),
  );
  process.stdout.write(restoredText(restored, later));
  return 0;
}

/** What is not known of the time behind the backup; undefined: the audit begins before it. */
function gapOf({ fromMs }: LaterAudit, madeMs: number): string | undefined {
  const made = new Date(madeMs).toISOString();
  if (fromMs === undefined) return `the audit has no event since the backup of ${made}`;
  if (fromMs <= madeMs) return undefined;
  return `the audit begins at ${new Date(fromMs).toISOString()}, and the backup is of ${made}`;
}

function restoredText({ madeMs, sums, asserted }: Restored, later: LaterAudit): string {
  const { policies, throughMs } = later;
  const gap = throughMs === undefined ? undefined : gapOf(later, madeMs);
  const made = new Date(madeMs).toISOString();
  const { sessions, tokens, grants, operators, living } = asserted;
  const lines = [
    `brought back: ${rowsLine(sums)}`,
    `as of ${made}; asserted again: ${sessions} sessions ended, ${tokens} tokens used, ${grants} requests and grants closed, ${operators} tokens of operators revoked`,
    ...(living === 0 ? [] : [`${living} sessions live`]),
    throughMs === undefined
      ? `session tokens that were used since ${made} by sessions that are not in the backup can be used once more until they expire; \`keys switch --at-once\` and \`keys retire\` end all that are out`
      : `what happened after ${new Date(throughMs).toISOString()} is not known here: tokens that were used later can be used once more`,
    ...(gap === undefined ? [] : [`${gap}: what happened between is not known here`]),
    ...(policies === 0
      ? []
      : [`${policies} versions of policies were published since, and are to be published again`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

export const storeCommand = groupOf(storeDefinition, { copy, backup, restore });
