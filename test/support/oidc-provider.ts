// `oidc-provider` of npm without its warnings: that its store is in memory, its keys are for development, and this Node is newer than it knows.

const { info, warn } = console;
const isOwn = (said: unknown): boolean => /oidc-provider (?:NOTICE|WARNING): /.test(String(said));

console.info = (...said: unknown[]) => {
  if (!isOwn(said[0])) info(...said);
};
console.warn = (...said: unknown[]) => {
  if (!isOwn(said[0])) warn(...said);
};

// It warns as soon as it is loaded.
export const { Provider } = await import('oidc-provider');
