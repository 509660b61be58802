// What a command contacted, in few lines, for the end of a run that observed.

import type { AuditEvent } from '../../api/audit-event.ts';
import { accessHost } from '../../policy/granted-policy.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { printableText } from '../terminal/text-table.ts';

const hostsShown = 20;
/** Of a place: a workload can make up more than there are. */
const methodsShown = 20;

/** One place and what became of the requests to it. */
export interface Contact {
  /** `https://host`, with the port where it is not the usual one. */
  readonly name: string;
  readonly methods: ReadonlySet<string>;
  readonly allowed: number;
  readonly refused: number;
  /** Of those that were refused: raw TCP, for want of a rule. */
  readonly raw: number;
  readonly failed: number;
}

type Counted = { -readonly [Key in keyof Contact]: Contact[Key] } & { readonly methods: Set<string> };

/** Counts what was contacted: `summaryRowsMax` places, and of all others how often. */
export class Contacts {
  readonly #byName = new Map<string, Counted>();
  readonly #others = newContact('others');

  add(event: AuditEvent): void {
    if ((event.kind !== 'exchange' && event.kind !== 'stream') || event.host === undefined) return;
    // Served by the gateway itself, which no policy has to allow.
    if (event.host === accessHost) return;
    const port = event.port === 443 || event.port === 80 ? '' : `:${event.port ?? '?'}`;
    const name = printableText(`${event.scheme ?? 'tcp'}://${event.host}${port}`);
    count(this.#contact(name), event);
  }

  #contact(name: string): Counted {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    if (this.#byName.size >= defaultLimits.summaryRowsMax) return this.#others;
    const contact = newContact(name);
    this.#byName.set(name, contact);
    return contact;
  }

  /** Most used first, and of all others how often; what stands in them is for a terminal. */
  places(): { readonly named: readonly Contact[]; readonly others: number } {
    return {
      named: [...this.#byName.values()].toSorted((a, b) => total(b) - total(a)),
      others: total(this.#others),
    };
  }

  /** The lines to print, most used first; empty if nothing was contacted. `learnCommand` is how to make a policy of it. */
  summary(learnCommand: string): string {
    const { named, others } = this.places();
    if (named.length === 0) return '';
    const shown = named.slice(0, hostsShown);
    const width = Math.max(...shown.map(({ name }) => name.length));
    const lines = shown.map((contact) => contactLine(contact, width));
    const hidden = named.length - shown.length;
    const rest = others === 0 ? '' : `, and others ${others === 1 ? 'once' : `${others} times`}`;
    const more = hidden > 0 ? `  and ${hidden} more${rest}\n` : '';
    const learn = learnLines([...named, this.#others], learnCommand);
    return `upstreamproxy: no policy was given, so this run was observed. It contacted:\n${lines.join('')}${more}${learn}`;
  }
}

function newContact(name: string): Counted {
  return { name, methods: new Set(), allowed: 0, refused: 0, raw: 0, failed: 0 };
}

function count(contact: Counted, { method, verdict, decided, errorCode }: AuditEvent): void {
  const { methods } = contact;
  if (method !== undefined && methods.size < methodsShown) methods.add(method);
  if (verdict === 'allow' || decided === 'allow') contact.allowed += 1;
  else if (verdict !== 'deny') contact.failed += 1;
  else {
    contact.refused += 1;
    if (errorCode === 'protocol_denied') contact.raw += 1;
  }
}

function contactLine({ name, methods, allowed, refused, failed }: Contact, width: number): string {
  const counts = [
    allowed > 0 ? `${allowed} allowed` : '',
    refused > 0 ? `${refused} refused` : '',
    failed > 0 ? `${failed} failed` : '',
  ].filter(Boolean);
  return `  ${name.padEnd(width)}  ${printableText([...methods].sort().join(',')) || '-'}  ${counts.join(', ')}\n`;
}

const total = ({ allowed, refused, failed }: Contact): number => allowed + refused + failed;

/** `learn` proposes rules for what was allowed, and for raw TCP, which needs one: more must not be promised. */
function learnLines(all: readonly Contact[], learnCommand: string): string {
  if (all.every(({ allowed, raw }) => allowed + raw === 0)) return '';
  const isAll = all.every(({ refused, raw, failed }) => refused === raw && failed === 0);
  const what = isAll ? 'To allow just this' : 'To allow this, without what was refused or failed';
  return `${what}:\n  ${learnCommand}\n`;
}
