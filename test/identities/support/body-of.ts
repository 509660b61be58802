// A body that was read, as something that can be read.

export function bodyOf(octets: Buffer): AsyncIterable<Buffer> & { resume(): unknown } {
  return {
    resume: () => undefined,
    async *[Symbol.asyncIterator]() {
      await Promise.resolve();
      if (octets.length > 0) yield octets;
    },
  };
}
