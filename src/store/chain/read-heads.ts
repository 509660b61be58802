// The heads of chains as a verification reads them: a page at a time, each with its signature. There is one a minute for as long as the audit
// is kept, so never all of a chain are in memory.

import type { ChainReader } from './audit-chain.ts';
import type { HeadRow } from './chain-cuts.ts';
import type { Findings } from './chain-findings.ts';
import { type ChainHead, isSigned, readHead } from './chain-statements.ts';
import type { TrustedOpening } from './chain-trust.ts';
import { isLongOver, type Period, type SaidByHeads } from './chain-walk.ts';

/** Of each chain that is gone along at a time so many are in memory. */
const pageHeads = 64;
/** Before all of them. */
const noLink = Number.MIN_SAFE_INTEGER - 1;

/** Some of the heads, in the order of their links, and up to where they were read. */
export interface HeadPage {
  readonly heads: readonly ChainHead[];
  readonly through: number;
}

export class ReadHeads {
  readonly #reader: Pick<ChainReader, 'heads' | 'latestHead'>;
  readonly #findings: Findings;

  constructor(reader: Pick<ChainReader, 'heads' | 'latestHead'>, findings: Findings) {
    this.#reader = reader;
    this.#findings = findings;
  }

  /** Where no time is asked for the last head is enough. */
  async said(trusted: TrustedOpening, { fromMs, untilMs }: Period): Promise<SaidByHeads> {
    if (fromMs === undefined && untilMs === undefined)
      return { last: await this.#last(trusted, false), ...ofNoTime, areTold: false };
    const last =
      fromMs !== undefined && isLongOver(trusted.opening, fromMs)
        ? await this.#last(trusted, true)
        : undefined;
    // By a clock that stepped forward, it may be of a later time than the chain can get old.
    const isBefore = last === undefined || last.timeMs < (fromMs ?? Infinity);
    if (fromMs !== undefined && isLongOver(trusted.opening, fromMs) && isBefore)
      return { last, start: last, ...ofNoTime, areTold: true };
    return await this.#saidByAll(trusted, { fromMs, untilMs });
  }

  /** Behind that link; undefined behind the last one. */
  async page(trusted: TrustedOpening, behind: number, isTold: boolean): Promise<HeadPage | undefined> {
    const rows = await this.#reader.heads(trusted.opening.number, behind, pageHeads);
    const through = rows.at(-1)?.link ?? behind;
    if (through <= behind) return undefined;
    return { heads: rows.flatMap((row) => this.#believed(trusted, row, isTold) ?? []), through };
  }

  async #saidByAll(trusted: TrustedOpening, { fromMs, untilMs }: Period): Promise<SaidByHeads> {
    let said: SaidByHeads = { ...ofNoTime, areTold: true };
    for (let behind = noLink; ;) {
      const page = await this.page(trusted, behind, false);
      if (page === undefined) return said;
      behind = page.through;
      for (const head of page.heads) {
        const isFrom = fromMs !== undefined && head.timeMs >= fromMs;
        const isBefore = untilMs !== undefined && head.timeMs < untilMs;
        said = {
          last: head,
          start: said.isAnyFrom || isFrom ? said.start : head,
          end: isBefore ? undefined : (said.end ?? head),
          isAnyFrom: said.isAnyFrom || isFrom,
          isAnyBefore: said.isAnyBefore || isBefore,
          areTold: true,
        };
      }
    }
  }

  /** The last one that its chain signed. */
  async #last(trusted: TrustedOpening, isTelling: boolean): Promise<ChainHead | undefined> {
    for (let below: number | undefined; ;) {
      const row = await this.#reader.latestHead(trusted.opening.number, below);
      if (row === undefined || (below !== undefined && row.link >= below)) return undefined;
      const head = this.#believed(trusted, row, !isTelling);
      if (head !== undefined) return head;
      below = row.link;
    }
  }

  #believed({ key, opening }: TrustedOpening, row: HeadRow, isTold: boolean): ChainHead | undefined {
    const { number } = opening;
    const head = isSigned('head', row, key) ? readHead(row.statement) : undefined;
    // One that stands elsewhere than it says would come too early or too late.
    if (head?.number === number && head.link === row.link) return head;
    const message = `A head of chain ${number} was not signed by its key.`;
    if (!isTold) this.#findings.add({ kind: 'forged', chain: number, message });
    return undefined;
  }
}

const ofNoTime = { isAnyFrom: false, isAnyBefore: false };
