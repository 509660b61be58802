// A guide as a script for a machine of its own: its files are written and its commands run, in the order in which they stand.

/** One block of a guide. */
export type GuidePart =
  | { readonly kind: 'file'; readonly path: string; readonly text: string }
  | { readonly kind: 'commands'; readonly text: string };

/** Blocks of `sh` are commands; blocks of other languages that begin with a comment of an absolute path are files. */
export function guideParts(markdown: string): readonly GuidePart[] {
  return [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(
    ([, language, text = '']): GuidePart[] => {
      if (language === 'sh') return [{ kind: 'commands', text }];
      const path = /^# (\/\S+)\n/.exec(text)?.[1];
      return path === undefined ? [] : [{ kind: 'file', path, text }];
    },
  );
}

/** For `sh`: ends with the first command that fails, and says which part it was. */
export function guideScript(
  parts: readonly GuidePart[],
  after: (part: GuidePart, index: number) => string,
): string {
  const steps = parts.map((part, index) => {
    const act =
      part.kind === 'file'
        ? `mkdir -p "$(dirname ${part.path})"\ncat > ${part.path} <<'GUIDE_END'\n${part.text}GUIDE_END\n`
        : part.text;
    return `echo "step ${index + 1}: ${part.kind === 'file' ? part.path : part.text.split('\n', 1)[0]?.replaceAll(/["$`\\]/g, '')}"\n${act}${after(part, index)}`;
  });
  return `set -eu\n${steps.join('\n')}\n`;
}
