// A part of a store, some methods of which are others.

/** The part, with some of its members in place of its own. */
export function withOwn<Part extends object>(part: Part, own: Partial<Part>): Part {
  return new Proxy(part, {
    get: (target, name) => Reflect.get(name in own ? own : target, name),
  });
}
