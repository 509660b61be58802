// Verifies what the store has of the audit against its chains, in the order of storing: a page of events at a time, in memory that is bounded
// by the number of chains. What runs beside it, a gateway that stores and removes, makes no false alarm.

import type { KeyObject } from 'node:crypto';
import { type ChainedRow, type ChainReader, columnsOf } from './audit-chain.ts';
import type { ChainHead, CutRun } from './chain-statements.ts';
import { seenIn, type TrustedOpening, trustedOpenings } from './chain-trust.ts';
import { LinkHasher } from './link-hash.ts';
import { LinkRanges } from './link-ranges.ts';
import { ReadCuts } from './read-cuts.ts';
import { ReadHeads } from './read-heads.ts';
import { TimeMarks } from './time-marks.ts';
import { Findings, type Finding } from './chain-findings.ts';
import {
  isOver,
  type KnownChain,
  type Mark,
  type Period,
  type WalkedChain,
  walkOf,
  walkOfOver,
} from './chain-walk.ts';

const pageRows = 1000;
/** What a link goes on from is not known: the one before it is missing. */
const unknownHash = '';
/** No link goes on from it. */
const noHash = '-';

export interface ChainReport {
  /** Events that were looked at. */
  readonly events: number;
  /** Stored before there was a chain: nothing is known of them. */
  readonly notChained: number;
  /** Links that retention removed, and says so. */
  readonly removed: number;
  readonly chains: number;
  /** Events behind the last head of their chain, of which the chain says nothing yet, or for ever where its process was killed. */
  readonly uncovered: number;
  /** The first ones, and how many there are. */
  readonly findings: readonly Finding[];
  readonly findingsTotal: number;
}

/** `onProgress` hears of each page how many were looked at. @param identityKeys public keys of the gateway's identity @throws ProxyError store_unavailable */
export async function verifyChain(
  reader: ChainReader,
  identityKeys: readonly KeyObject[],
  period: Period,
  onProgress: (events: number) => void = () => {},
): Promise<ChainReport> {
  return await new Verifier(reader, identityKeys, period).run(onProgress);
}

class Verifier {
  readonly #reader: ChainReader;
  readonly #identityKeys: readonly KeyObject[];
  readonly #period: Period;
  readonly #hasher = new LinkHasher();
  readonly #findings = new Findings();
  readonly #cuts: ReadCuts;
  readonly #heads: ReadHeads;
  readonly #marks: TimeMarks;
  readonly #known = new Map<number, KnownChain>();
  readonly #walked = new Map<number, WalkedChain>();
  /** The part of the store that is gone along. */
  #behind = 0;
  #through = Infinity;
  /** Links that were passed, and of which a cut says that they were removed. */
  #emptied = new LinkRanges();
  /** Openings were read again for this page. */
  #hasReadAgain = false;
  readonly #counts = { events: 0, notChained: 0, removed: 0 };
  #trusted: ReadonlyMap<number, TrustedOpening> = new Map();
  /** Events up to here were stored before the first chain; without a chain, all of them. */
  #unchainedThrough = Infinity;

  constructor(reader: ChainReader, identityKeys: readonly KeyObject[], period: Period) {
    this.#reader = reader;
    this.#identityKeys = identityKeys;
    this.#period = period;
    this.#marks = new TimeMarks(reader, this.#findings);
    this.#heads = new ReadHeads(reader, this.#findings);
    this.#cuts = new ReadCuts(reader, this.#findings, (by) => this.#trusted.get(by)?.key);
  }

  async run(onProgress: (events: number) => void): Promise<ChainReport> {
    await this.#readOpenings();
    const { behind, through, chains } = walkOf([...this.#known.values()], this.#period);
    this.#behind = behind;
    this.#through = through;
    for (const chain of chains) this.#walked.set(chain.number, chain);
    let place = behind;
    for await (const page of this.#pages(behind, through)) {
      this.#hasReadAgain = false;
      for (const row of page) await this.#look(row);
      const last = page.at(-1)?.sequence ?? place;
      await this.#marks.pass(place, page, last);
      place = last;
      onProgress(this.#counts.events);
      if (this.#emptied.isFull) await this.#lookAgain(behind, through);
    }
    await this.#marks.pass(place, [], through);
    await this.#lookAgain(behind, through);
    let uncovered = 0;
    for (const chain of this.#walked.values()) uncovered += await this.#finish(chain);
    return {
      ...this.#counts,
      uncovered,
      chains: this.#walked.size,
      findings: this.#findings.first,
      findingsTotal: this.#findings.total,
    };
  }

  async *#pages(behind: number, through: number): AsyncGenerator<readonly ChainedRow[]> {
    for (let place = behind; ;) {
      const rows = await this.#reader.rows(place, pageRows);
      yield rows.filter(({ sequence }) => sequence <= through);
      const last = rows.at(-1)?.sequence ?? place;
      if (last >= through || last <= place) break;
      // Heads that were read just now may say more than this page has.
      if (rows.length < pageRows && !this.#hasReadAgain) break;
      place = last;
    }
  }

  /** What was passed, and is said to be removed meanwhile, has to be gone. */
  async #lookAgain(behind: number, through: number): Promise<void> {
    const emptied = this.#emptied;
    if (emptied.isEmpty) return;
    this.#emptied = new LinkRanges();
    for await (const page of this.#pages(behind, through)) {
      for (const row of page)
        if (row.place !== undefined && emptied.has(row.place.number, row.place.link)) this.#inserted(row);
    }
  }

  #inserted({ place, sequence, facts: { id } }: ChainedRow): void {
    const { number: chain, link } = place ?? {};
    const message = `The event at ${sequence} says that it is link ${link} of chain ${chain}, which another one is, or was.`;
    this.#findings.add({
      kind: 'inserted',
      ...(chain === undefined ? {} : { chain }),
      ...(link === undefined ? {} : { link }),
      sequence,
      id,
      message,
    });
  }

  async #readOpenings(): Promise<void> {
    const rows = await this.#reader.openings();
    this.#trusted = trustedOpenings(rows, this.#identityKeys);
    let expected = 1;
    for (const { number } of rows) {
      const message = `The chains ${expected} to ${number - 1} are not there any more, nor what is signed of them.`;
      if (number !== expected) this.#findings.add({ kind: 'removed', message });
      expected = number + 1;
      await this.#readChain(number);
    }
    // The oldest one; each that follows says the same.
    for (const { opening } of this.#trusted.values()) this.#unchainedThrough = opening.unchainedThrough;
  }

  /** Opening of a chain, and what its heads say of it. */
  async #readChain(number: number): Promise<KnownChain | undefined> {
    const trusted = this.#trusted.get(number);
    if (trusted === undefined) {
      const message = `The opening of chain ${number} was not signed by a key of the identity that is known here.`;
      this.#findings.add({ kind: 'forged', chain: number, message });
      return undefined;
    }
    const { openedMs, behind } = trusted.opening;
    const said = await this.#heads.said(trusted, this.#period);
    const chain = { number, openedMs, behind, hash: trusted.hash, seen: seenIn(this.#trusted, number), said };
    this.#known.set(number, chain);
    return chain;
  }

  async #look(row: ChainedRow): Promise<void> {
    const { place, sequence, facts } = row;
    const { id } = facts;
    if (place === undefined) {
      this.#counts.events += 1;
      const message = `The event at ${sequence} is in no chain: somebody put it there, or a gateway of a version that knows none.`;
      if (sequence > 0 && sequence <= this.#unchainedThrough) this.#counts.notChained += 1;
      else this.#findings.add({ kind: 'inserted', sequence, id, message });
      return;
    }
    const { number, link } = place;
    const chain = this.#walked.get(number) ?? (await this.#begun(number)) ?? (await this.#takenUp(number));
    if (chain === undefined) {
      const known = this.#known.get(number);
      if (known !== undefined) {
        this.#lookAtLater(known.said.last, row);
        return;
      }
      this.#counts.events += 1;
      const message = `The event at ${sequence} is in chain ${number}, which is not known.`;
      this.#findings.add({ kind: 'forged', chain: number, sequence, id, message });
      return;
    }
    if (link <= chain.skipThrough) {
      if (sequence > chain.skipPlace) this.#inserted(row);
      return;
    }
    this.#counts.events += 1;
    const isPastLife = this.#isPastLife(chain, row);
    const where = isPastLife
      ? `is in chain ${number}, which was over by then`
      : `is behind the last head of chain ${number}, where nothing followed`;
    const message = `The event at ${sequence} ${where}.`;
    if (link > chain.endsAt || isPastLife)
      this.#findings.add({ kind: 'inserted', chain: number, link, sequence, id, message });
    else if (link <= chain.link) await this.#tooLate(chain, link, row);
    else await this.#link(chain, place, row);
  }

  /** Of a chain that was opened behind the time that was asked for, events stand where its last head says. */
  #lookAtLater(last: ChainHead | undefined, row: ChainedRow): void {
    if (last === undefined || row.sequence <= last.sequence) return;
    if (last.isLast || (row.place?.link ?? 0) <= last.link) this.#inserted(row);
  }

  /** Who puts in an event under a chain that was over knows what it goes on from, but can't make it old. */
  #isPastLife({ overBehind }: WalkedChain, { sequence, facts }: ChainedRow): boolean {
    const { fromMs } = this.#period;
    if (overBehind === undefined || fromMs === undefined) return false;
    // What is no time is none before.
    return sequence > overBehind || !(facts.timeMs < fromMs);
  }

  /** A chain that was over before, and of which an event is there: from its last head on, which may be before the part that is gone along. */
  async #takenUp(number: number): Promise<WalkedChain | undefined> {
    const known = this.#known.get(number);
    const { fromMs } = this.#period;
    if (known === undefined || fromMs === undefined || !isOver(known, fromMs)) return undefined;
    const chain = walkOfOver(known, [...this.#known.values()], this.#through);
    this.#walked.set(number, chain);
    const { last } = known.said;
    const behind = last?.sequence ?? known.behind;
    if (last?.isLast === true || behind >= this.#behind) return chain;
    for await (const page of this.#pages(behind, this.#behind))
      for (const row of page) if (row.place?.number === number) await this.#look(row);
    return chain;
  }

  /** A chain that a gateway began while this looks: its opening is there before the page that has an event of it. */
  async #begun(number: number): Promise<WalkedChain | undefined> {
    if (this.#known.has(number) || this.#trusted.has(number) || this.#hasReadAgain) return undefined;
    this.#hasReadAgain = true;
    const rows = await this.#reader.openings();
    const trusted = trustedOpenings(rows, this.#identityKeys);
    this.#trusted = trusted;
    // Others of them may have events on the same page.
    for (const fresh of trusted.keys()) {
      const known = this.#known.has(fresh) ? undefined : await this.#readChain(fresh);
      const [chain] = known === undefined ? [] : walkOf([known], {}).chains;
      if (chain !== undefined) this.#walked.set(fresh, chain);
    }
    return this.#walked.get(number);
  }

  async #link(
    chain: WalkedChain,
    { link, before }: NonNullable<ChainedRow['place']>,
    row: ChainedRow,
  ): Promise<void> {
    if (link > chain.link + 1) await this.#passMissing(chain, link - 1);
    if (link <= chain.link) {
      await this.#tooLate(chain, link, row);
      return;
    }
    if (before !== chain.hash) this.#changed(chain, link - 1);
    this.#lookAtColumns(chain, link, row);
    chain.hash = this.#hashOf(before, link, row);
    chain.link = link;
    await this.#passHeads(chain);
  }

  /** Of what can't have been stored, none. */
  #hashOf(before: string, link: number, { facts }: ChainedRow): string {
    return this.#hasher.ofStored(before, link, facts) ?? noHash;
  }

  /** Passed already, or taken for missing. */
  async #tooLate(chain: WalkedChain, link: number, row: ChainedRow): Promise<void> {
    const { sequence, facts } = row;
    const { number } = chain;
    const at = chain.missing.findIndex(({ first, last }) => first <= link && link <= last);
    const range = chain.missing[at];
    if (range === undefined) {
      // Else retention took it behind the reading of this page.
      const [there] = await this.#reader.rows(sequence - 1, 1);
      if (there?.sequence === sequence) this.#inserted(row);
      else this.#counts.events -= 1;
      return;
    }
    const { first, last } = range;
    const rest = [
      { first, last: link - 1 },
      { first: link + 1, last },
    ];
    chain.missing.splice(at, 1, ...rest.filter((one) => one.first <= one.last));
    const message = `The event at ${sequence} stands behind others that were stored after it (chain ${number}, link ${link}).`;
    this.#findings.add({ kind: 'reordered', chain: number, link, sequence, id: facts.id, message });
  }

  /** Links up to that one are not there: each was removed by retention, which signed so, or by somebody else. */
  async #passMissing(chain: WalkedChain, through: number): Promise<void> {
    while (chain.link < through) {
      const link = chain.link + 1;
      const { run, next } = await this.#cuts.at(chain.number, link);
      if (run === undefined) {
        chain.link = Math.min(next - 1, through);
        chain.missing.push({ first: link, last: chain.link });
        // What follows says itself what it goes on from.
        chain.hash = unknownHash;
        continue;
      }
      // One that began earlier grew while this looked: what it goes on from is behind, and gone.
      if (run.first < link) this.#emptied.add(chain.number, run.first, link - 1);
      else if (run.before !== chain.hash) this.#changed(chain, link - 1);
      if (run.last > chain.endsAt) this.#removedTooMuch(chain, run);
      this.#counts.removed += run.last - chain.link;
      chain.hash = run.hash;
      chain.link = run.last;
      await this.#passHeads(chain);
    }
  }

  #removedTooMuch({ number, endsAt }: WalkedChain, { last }: CutRun): void {
    const message = `Retention was led to remove links up to ${last} of chain ${number}, which ended with ${endsAt}.`;
    this.#findings.add({ kind: 'changed', chain: number, link: endsAt, message });
  }

  #changed(chain: WalkedChain, link: number): void {
    if (chain.hash === unknownHash) return;
    const { number } = chain;
    const message = `Link ${link} of chain ${number} is not what was stored, or what follows it says so falsely.`;
    this.#findings.add({ kind: 'changed', chain: number, link, message });
  }

  #lookAtColumns({ number }: WalkedChain, link: number, { sequence, facts, found }: ChainedRow): void {
    const said = columnsOf(facts.json);
    const isEqual = (['host', 'principal', 'trace'] as const).every((name) => said?.[name] === found[name]);
    if (said !== undefined && isEqual) return;
    const message = `The event at ${sequence} is found by something else than it says.`;
    this.#findings.add({ kind: 'changed', chain: number, link, sequence, id: facts.id, message });
  }

  async #passHeads(chain: WalkedChain): Promise<void> {
    const { link, hash } = chain;
    for (let head = await this.#mark(chain); head !== undefined && head.link <= link;) {
      chain.covered = head.link;
      const isOther = head.link === link && hash !== unknownHash && head.hash !== hash;
      if (isOther && !chain.isBroken) {
        chain.isBroken = true;
        const message = `Chain ${chain.number} up to link ${link} is another one than its head says.`;
        this.#findings.add({ kind: 'changed', chain: chain.number, link, message });
      }
      if (head === chain.seen[0]) chain.seen = chain.seen.slice(1);
      else chain.heads = chain.heads.slice(1);
      head = await this.#mark(chain);
    }
  }

  /** What is said of the chain next. */
  async #mark(chain: WalkedChain): Promise<Mark | undefined> {
    while (chain.heads.length === 0 && chain.headsRead < chain.headsThrough) await this.#readHeads(chain);
    const [head, seen] = [chain.heads[0], chain.seen[0]];
    if (head === undefined || seen === undefined) return head ?? seen;
    return seen.link < head.link ? seen : head;
  }

  async #readHeads(chain: WalkedChain): Promise<void> {
    const { number, headsRead, headsThrough, areHeadsTold } = chain;
    const trusted = this.#trusted.get(number);
    const page = trusted === undefined ? undefined : await this.#heads.page(trusted, headsRead, areHeadsTold);
    chain.headsRead = page?.through ?? Infinity;
    chain.heads = page?.heads.filter(({ link }) => link <= headsThrough) ?? [];
  }

  /** Gives how many events no head covers. */
  async #finish(chain: WalkedChain): Promise<number> {
    const { number, link: reached } = chain;
    await this.#passMissing(chain, Math.max(chain.headsThrough, chain.seen.at(-1)?.link ?? 0));
    await this.#passHeads(chain);
    // Of those behind it only whether the chain signed them is asked.
    while (!chain.areHeadsTold && chain.headsRead < Infinity) await this.#readHeads(chain);
    for (const { first, last: end } of chain.missing) {
      const [kind, where] =
        first > reached ? (['cut_tail', ', its end'] as const) : (['removed', ''] as const);
      const message = `${end - first + 1} events of chain ${number} are missing (links ${first} to ${end}${where}).`;
      this.#findings.add({ kind, chain: number, link: first, message });
    }
    return Math.max(0, chain.link - chain.covered);
  }
}
