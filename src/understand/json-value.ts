// What a text of JSON says, in a form in which nothing is lost that two parsers could make something different of.

export type JsonValue = null | boolean | number | string | InexactNumber | readonly JsonValue[] | JsonObject;

/** A number that some parsers round, and others keep or refuse: 2⁵³ + 1, 1e400, 0.1234567890123456789. */
export class InexactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The members of an object. No name stands in it twice; some may differ in their letter case alone. */
export class JsonObject {
  readonly members: ReadonlyMap<string, JsonValue>;

  constructor(members: ReadonlyMap<string, JsonValue>) {
    this.members = members;
  }
}

/**
 * A name as parsers that ignore its letter case take it. Go's compares under simple folding: there a long s is an s, and the
 * sign for kelvin a k.
 */
export function foldedName(name: string): string {
  return name.toUpperCase().toLowerCase();
}

/** Whether some parsers take one name for the other. Costs no more than the shorter one. */
export function isAlike(one: string, other: string): boolean {
  // In the other case some characters are two or three.
  if (one.length > 3 * other.length || other.length > 3 * one.length) return false;
  return foldedName(one) === foldedName(other);
}

/** What is wrong with a body, as the end of a sentence: `the body` … */
export class UnreadableBody {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/**
 * A member by its exact name. Undefined: there is none. A name that differs in letter case alone makes the object unreadable:
 * some parsers would take it for this one.
 */
export function memberOf({ members }: JsonObject, name: string): JsonValue | undefined | UnreadableBody {
  for (const other of members.keys())
    if (other !== name && isAlike(other, name))
      return new UnreadableBody(`has ${shownName(other)}, which some parsers take for ${shownName(name)}`);
  return members.get(name);
}

/** As JSON, and not long: a workload wrote it. */
export function shownName(name: string): string {
  return JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
}
