// Which events a question is about. One reading for pages, for followers and for whoever filters what it has.

import type { AuditEvent } from '../audit-event.ts';
import type { EventFilter } from './schemas.ts';

type Test = (event: AuditEvent) => boolean;

/** A test for the events that fit all of the filter. */
export function eventMatcher(filter: EventFilter): Test {
  const tests: Test[] = [...equalities(filter), ...times(filter)];
  const { host, path, trace, credential } = filter;
  if (host !== undefined) tests.push(hostTest(host.toLowerCase()));
  if (path !== undefined) tests.push((event) => event.path?.startsWith(path) === true);
  if (trace !== undefined) tests.push((event) => event.traceId.startsWith(trace));
  if (credential !== undefined) tests.push((event) => event.injected?.includes(credential) === true);
  return (event) => tests.every((test) => test(event));
}

/** `.example.com`: every host below it. */
function hostTest(name: string): Test {
  if (name.startsWith('.')) return ({ host }) => host?.endsWith(name) === true;
  return ({ host }) => host === name;
}

function equalities({
  session,
  principal,
  kind,
  verdict,
  method,
  rule,
  error,
  limit,
  status,
}: EventFilter): readonly Test[] {
  const wanted = {
    sessionId: session,
    principal,
    kind,
    verdict,
    method: method?.toUpperCase(),
    rule,
    errorCode: error,
    limit,
    status,
  } satisfies { readonly [Name in keyof AuditEvent]?: unknown };
  return Object.entries(wanted).flatMap(([field, value]): readonly Test[] => {
    if (value === undefined) return [];
    // The keys are names of fields, by `satisfies`.
    const name = field as keyof typeof wanted;
    return [(event) => event[name] === value];
  });
}

function times({ since, until }: EventFilter): readonly Test[] {
  const tests: Test[] = [];
  const [from, to] = [since, until].map((time) => (time === undefined ? undefined : Date.parse(time)));
  if (from !== undefined) tests.push(({ time }) => Date.parse(time) >= from);
  if (to !== undefined) tests.push(({ time }) => Date.parse(time) < to);
  return tests;
}
