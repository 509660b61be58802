/** Why a document of GraphQL is not read, as the end of a sentence that begins with what it stands in. */
export class UnreadableDocument extends Error {}
