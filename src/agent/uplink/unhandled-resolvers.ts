// A promise that nobody has to wait for.

/** Resolvers whose rejection need not be heard: nobody may be waiting. */
export function unhandledResolvers(): PromiseWithResolvers<void> {
  const resolvers = Promise.withResolvers<void>();
  resolvers.promise.catch(() => {});
  return resolvers;
}
