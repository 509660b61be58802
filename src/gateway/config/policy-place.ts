// Where a gateway has its policy from.

export interface PolicyPlace {
  readonly mode: 'files' | 'observe' | 'store';
  readonly paths: readonly string[];
  /** Files that change later change nothing: of a gateway whose workload may be able to write them. */
  readonly isReadOnce?: boolean;
}
