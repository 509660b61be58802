// What was verified of how versions of packages were built. It is asked for once, for all that wait, and remembered within a bound.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Attester, Provenance } from '../../policy/package-provenance.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import { type AttestedSubject, attestationsIn } from '../../understand/packages/attestation.ts';
import type { SigstoreVerifier } from './sigstore-verifier.ts';

interface Entry {
  readonly provenance: Provenance;
  readonly askedMs: number;
}

/** Undefined: the registry said nothing that can be read, which nobody remembers. */
type Ask = () => Promise<Provenance | undefined>;

export class PackageProvenance {
  readonly #verifier: Pick<SigstoreVerifier, 'verify'>;
  readonly #limits: Pick<Limits, 'publishTimesAgainMs'>;
  readonly #clock: () => number;
  /** In the order in which they were asked for. */
  readonly #known = new Map<string, Entry>();
  readonly #asking = new Map<string, Promise<Provenance | undefined>>();

  constructor(
    verifier: Pick<SigstoreVerifier, 'verify'>,
    limits: Pick<Limits, 'publishTimesAgainMs'>,
    clock: () => number,
  ) {
    this.#verifier = verifier;
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#known.size;
  }

  /** What keeps one from being told keeps no other: each asks for itself then. @throws what `ask` throws */
  async of(key: string, ask: Ask): Promise<Provenance | undefined> {
    const entry = this.#known.get(key);
    if (entry !== undefined && !this.#isOld(entry)) return entry.provenance;
    const other = this.#asking.get(key);
    const told = other === undefined ? undefined : await other.catch(() => undefined);
    return told ?? (await this.#ask(key, ask));
  }

  async #ask(key: string, ask: Ask): Promise<Provenance | undefined> {
    const asking = ask();
    this.#asking.set(key, asking);
    try {
      const provenance = await asking;
      if (provenance !== undefined) this.#note(key, provenance);
      return provenance;
    } finally {
      if (this.#asking.get(key) === asking) this.#asking.delete(key);
    }
  }

  #note(key: string, provenance: Provenance): void {
    this.#known.delete(key);
    this.#known.set(key, { provenance, askedMs: this.#clock() });
    const [oldest] = this.#known.keys();
    if (this.#known.size > defaultLimits.packageProvenanceMax && oldest !== undefined)
      this.#known.delete(oldest);
  }

  #isOld({ provenance, askedMs }: Entry): boolean {
    const age = this.#clock() - askedMs;
    const againMs =
      provenance.kind === 'verified'
        ? defaultLimits.packageProvenanceAgainMs
        : this.#limits.publishTimesAgainMs;
    return age < 0 || age >= againMs;
  }

  /** What a registry sent, verified one by one; others are served between. */
  async verified(octets: Uint8Array, about: AttestedSubject): Promise<Provenance> {
    const bundles = attestationsIn(about.registry, octets, defaultLimits.packageAttestationsMax);
    if (bundles instanceof UnreadableBody)
      return none(`has attestations of which the list ${bundles.reason}`);
    const by: Attester[] = [];
    let refused: string | undefined;
    for (const bundle of bundles) {
      const one = this.#verifier.verify(bundle, about);
      if (one === undefined) continue;
      if ('why' in one) refused ??= one.why;
      else by.push(one);
      await nextTurn();
    }
    if (by.length > 0) return { kind: 'verified', by };
    return none(refused ?? 'has no attestation of how it was built');
  }
}

const none = (why: string): Provenance => ({ kind: 'none', why });
