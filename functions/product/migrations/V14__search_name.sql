-- Who types a whole name finds it before what has the same words beside others. A name may be longer, folded, than an entry of a b-tree.
CREATE INDEX search_document_name ON search_document USING hash (name_key);
