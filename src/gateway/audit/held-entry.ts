// An event that waits for the store. Its JSON is kept as octets outside of the heap of JavaScript: a batch waits longer than V8 leaves between
// two collections of what is new, and texts that wait are copied by each.

import type { UsedFacts } from '../../store/uses/shared-use.ts';
import type { AuditEntry } from '../../store/store.ts';

/** Of many events; it goes with the last of them. */
const slabBytes = 256 * 1024;

export class HeldEntry implements AuditEntry {
  readonly id: AuditEntry['id'];
  readonly verdict: AuditEntry['verdict'];
  readonly kind: AuditEntry['kind'];
  readonly timeMs: number;
  readonly jsonOctets: Buffer;
  readonly sessionId: string | undefined;
  readonly wasOpen: boolean | undefined;
  readonly used: UsedFacts | undefined;

  constructor(facts: Omit<AuditEntry, 'json' | 'jsonOctets'>, jsonOctets: Buffer) {
    this.id = facts.id;
    this.verdict = facts.verdict;
    this.kind = facts.kind;
    this.timeMs = facts.timeMs;
    this.jsonOctets = jsonOctets;
    this.sessionId = facts.sessionId;
    this.wasOpen = facts.wasOpen;
    this.used = facts.used;
  }

  get json(): string {
    return this.jsonOctets.toString('utf8');
  }
}

/** Texts as UTF-8, behind each other in common memory. */
export class TextSlabs {
  #slab = Buffer.alloc(0);
  #used = 0;

  hold(text: string): Buffer {
    // A UTF-16 unit is three octets at most.
    const room = text.length * 3;
    if (room > slabBytes) return Buffer.from(text);
    if (this.#slab.length - this.#used < room) {
      this.#slab = Buffer.alloc(slabBytes);
      this.#used = 0;
    }
    const begin = this.#used;
    this.#used += this.#slab.write(text, begin);
    return this.#slab.subarray(begin, this.#used);
  }
}
