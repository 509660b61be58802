// Verifying the chains of the audit, by the keys of this gateway: what was counted so far each second, and the report at the end.

import type { OutputOf } from '../../api/admin/routes.ts';
import type { ChainReader } from '../../store/chain/audit-chain.ts';
import { type ChainReport, verifyChain } from '../../store/chain/verify-chain.ts';
import type { AdminParts, Asked } from './admin-parts.ts';
import { WholeLook } from './whole-audit.ts';

type Progress = OutputOf<'verifyAudit'>;

export async function* openVerification(
  { store, signingKey }: AdminParts,
  { body: { since, until } }: Asked<'verifyAudit'>,
  signal: AbortSignal,
): AsyncGenerator<Progress> {
  const look = new WholeLook(signal);
  const told = new Told();
  const { chain } = store.audit;
  // The verifier asks for a page when it has looked at the one before.
  const reader: ChainReader = {
    openings: () => chain.openings(),
    heads: (number, behind, limit) => chain.heads(number, behind, limit),
    latestHead: (number, before) => chain.latestHead(number, before),
    cut: (number, link) => chain.cut(number, link),
    marks: (behind, limit) => chain.marks(behind, limit),
    laterThan: (mark) => chain.laterThan(mark),
    rows: async (behind, limit) => {
      await look.rest();
      const rows = await chain.rows(behind, limit);
      told.looked += rows.length;
      if (look.isTimeToTell()) told.wake();
      return rows;
    },
  };
  const at = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : Date.parse(text);
  const verified = verifyChain(reader, signingKey.publicKeys, { fromMs: at(since), untilMs: at(until) });
  const report: Promise<ChainReport> = verified.finally(() => {
    told.isOver = true;
    told.wake();
  });
  // Told below; nobody may be left to hear of it.
  report.catch(() => undefined);
  while (!told.isOver) {
    await told.next();
    if (!told.isOver) yield { looked: told.looked };
  }
  yield { looked: told.looked, report: await report };
}

/** How far it is, for one who waits for the next time to tell. */
class Told {
  looked = 0;
  isOver = false;
  #waiting = Promise.withResolvers<void>();

  wake(): void {
    this.#waiting.resolve();
    this.#waiting = Promise.withResolvers<void>();
  }

  async next(): Promise<void> {
    await this.#waiting.promise;
  }
}
