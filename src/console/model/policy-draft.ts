// A policy that somebody writes: its files, and which published version it is to replace.

export interface DraftFile {
  readonly name: string;
  readonly text: string;
}

export interface PolicyDraft {
  readonly policy: string;
  readonly files: readonly DraftFile[];
  /** Which of the files is shown. */
  readonly at: number;
  /** The number of the version that it was begun from; 0: none was published; undefined: it was not looked at. */
  readonly seen: number | undefined;
}

export const emptyDraft: PolicyDraft = {
  policy: 'main',
  files: [{ name: 'draft.yaml', text: '' }],
  at: 0,
  seen: undefined,
};

export function draftText({ files, at }: PolicyDraft): string {
  return files[at]?.text ?? '';
}

export function withText(draft: PolicyDraft, text: string): PolicyDraft {
  return {
    ...draft,
    files: draft.files.map((file, i) => (i === draft.at ? { name: file.name, text } : file)),
  };
}

/** Whether there is something to check. */
export function isWritten({ files }: PolicyDraft): boolean {
  return files.some(({ text }) => text.trim() !== '');
}

/** As the API takes them; an empty file among others says nothing. */
export function sentFiles({ files }: PolicyDraft): DraftFile[] {
  return files.filter(({ text }) => text.trim() !== '').map(({ name, text }) => ({ name, text }));
}
