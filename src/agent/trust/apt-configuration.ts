// apt: one more file by APT_CONFIG. The proxy it takes from the environment; its trust, before apt 3, from here only.

/** `own` is the file that the user's APT_CONFIG names; ours takes the variable, so it includes that one. */
export function aptConfiguration(bundle: string, own: string | undefined): string {
  const included = own === undefined || own === '' ? '' : `#include ${JSON.stringify(own)};\n`;
  return `// Written by upstreamproxy for one session.\n${included}Acquire::https::CaInfo ${JSON.stringify(bundle)};\n`;
}
