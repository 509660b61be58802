// What receivers of notices can be told.

export const noticeKinds = ['question', 'access', 'alarm', 'budget', 'denial'] as const;
export type NoticeKind = (typeof noticeKinds)[number];
