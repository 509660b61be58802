// The events that the page holds: one run of the audit without holes, the oldest first, and what is known of its ends.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { Note } from './live-rows.ts';

export const heldMax = 100_000;
const trimmed = 20_000;
const notesMax = 200;

export class HeldEvents {
  #events: AuditEvent[] = [];
  #notes: Note[] = [];
  #epoch = 0;
  #hasOlder = true;
  #olderId: string | undefined;
  /** While somebody reads, nothing goes away under them. */
  isTrimming = true;

  get events(): readonly AuditEvent[] {
    return this.#events;
  }

  get notes(): readonly Note[] {
    return this.#notes;
  }

  /** Another number: the beginning changed, so rows are made anew. Else there are only more at the end. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether the audit may have events before those that are held. */
  get hasOlder(): boolean {
    return this.#hasOlder;
  }

  get newestId(): string | undefined {
    return this.#events.at(-1)?.id;
  }

  /** Where the page of what was before goes on: the API may have looked further back than the oldest that is held. */
  get olderId(): string | undefined {
    return this.#olderId;
  }

  /** Since when all is held. Undefined: since the first event of all, or nothing is known. */
  get sinceMs(): number | undefined {
    const [first] = this.#events;
    return this.#hasOlder && first !== undefined ? Date.parse(first.time) : undefined;
  }

  append(events: readonly AuditEvent[]): void {
    for (const event of events) this.#events.push(event);
    if (this.isTrimming && this.#events.length > heldMax + trimmed) {
      this.#events = this.#events.slice(-heldMax);
      this.#hasOlder = true;
      this.#olderId = this.#events.at(0)?.id;
      this.#epoch += 1;
    }
  }

  /** A page of the audit, the newest first. `next`: where the one before it begins; undefined where there is none. */
  prepend(page: readonly AuditEvent[], next: string | undefined): void {
    this.#events = [...page.toReversed(), ...this.#events];
    this.#hasOlder = next !== undefined;
    this.#olderId = next;
    this.#epoch += 1;
  }

  /** What is held is let go, and nothing is known of the audit. */
  restart(): void {
    this.#events = [];
    this.#notes = [];
    this.#hasOlder = true;
    this.#olderId = undefined;
    this.#epoch += 1;
  }

  /** Behind the newest event. */
  note(text: string): void {
    const note = { id: `note ${this.#notes.length} ${this.newestId ?? ''}`, afterId: this.newestId, text };
    this.#notes = [...this.#notes.slice(-notesMax), note];
    this.#epoch += 1;
  }
}
