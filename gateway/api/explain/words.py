"""What the explainer says, in English and Chinese: a code each, stable for programs."""

from collections.abc import Mapping

DROPPED: Mapping[str, tuple[str, str]] = {
    "null": ("null is not signed", "null 值不参与签名"),
    "empty": ("empty values are not signed", "空值不参与签名"),
    "blank": ("values of blanks only are not signed", "纯空白的值不参与签名"),
    "array": ("arrays are not signed", "数组不参与签名"),
    "never": ("this field is never signed", "该字段不参与签名"),
    "unknown": ("the protocol has no such field", "协议中没有该字段"),
    "nested": (
        "an object or list has no agreed text: send it as a JSON string",
        "对象或数组没有统一的文本形式，请以 JSON 字符串传递",
    ),
}

MISTAKES: Mapping[str, tuple[str, str]] = {
    "order_case_sensitive": (
        "fields were sorted with regard to case; sort `k=v` without regard to case",
        "排序区分了大小写；应不区分大小写排序",
    ),
    "order_any_case": (
        "fields were sorted without regard to case; sort names as bytes",
        "排序未区分大小写；应按字段名的 ASCII 码排序",
    ),
    "order_names_any_case": (
        "fields were sorted by name alone; names and values are sorted as in the string shown",
        "仅按字段名排序；应与所示签名串的顺序一致",
    ),
    "order_whole_pairs": (
        "whole `k=v` texts were sorted; sort as in the string shown",
        "按整个 k=v 文本排序；应与所示签名串的顺序一致",
    ),
    "order_as_sent": ("fields were not sorted", "字段未排序"),
    "order_reversed": ("fields were sorted backwards", "字段按倒序排列"),
    "empty_kept": ("empty values were signed; leave them out", "空值参与了签名，应去掉"),
    "blank_kept": (
        "values of blanks only were signed; leave them out",
        "纯空白的值参与了签名，应去掉",
    ),
    "blank_dropped": (
        "values of blanks only were left out; they are signed",
        "纯空白的值被去掉，应参与签名",
    ),
    "zero_dropped": (
        "`0` (or `false`) was taken for empty and left out (PHP's `empty`); it is signed",
        "“0”（或 false）被当作空值去掉（PHP 的 empty），应参与签名",
    ),
    "value_encoded": (
        "values were URL-encoded before they were signed; sign them raw, then encode",
        "签名前对值做了 URL 编码；应先用原始值签名，再编码发送",
    ),
    "value_sent_encoded_twice": (
        "values were URL-encoded twice on the way; encode once",
        "值在发送时被 URL 编码了两次，只应编码一次",
    ),
    "plus_lost": (
        "a `+` was sent without being encoded and arrived as a blank; send it as %2B",
        "“+” 未编码即发送，到达时变成空格；应编码为 %2B",
    ),
    "plus_as_blank": (
        "a blank was signed where a `+` is sent",
        "签名时把 “+” 当作空格",
    ),
    "value_trimmed": (
        "values were trimmed before they were signed, and sent with their blanks",
        "签名前去掉了值两端的空白，发送时却保留",
    ),
    "html_escaped": (
        "values were HTML-escaped (`&amp;`) before they were signed",
        "签名前对值做了 HTML 转义（&amp;）",
    ),
    "html_unescaped": (
        "values are sent HTML-escaped (`&amp;`) and were signed unescaped",
        "发送的值带 HTML 转义（&amp;），签名用的却是未转义的值",
    ),
    "ascii_escapes": (
        "characters were signed as escapes such as \\u4e2d; sign them as they are",
        "非 ASCII 字符以 \\u4e2d 这类转义形式参与签名；应使用原字符",
    ),
    "slash_escapes": (
        "`/` was signed as `\\/` (json_encode without JSON_UNESCAPED_SLASHES)",
        "“/” 以 “\\/” 形式参与签名（json_encode 未加 JSON_UNESCAPED_SLASHES）",
    ),
    "boolean_form": (
        "true or false was signed in the language's own form; sign `true` and `false`",
        "布尔值按语言自身格式参与签名；应为 true / false",
    ),
    "number_form": (
        "a number was signed in another form than it was sent in (1.0 for 1)",
        "数字的签名形式与发送形式不同（如 1.0 与 1）",
    ),
    "nested_signed": (
        "an object was signed as text and sent as an object; send it as a JSON string",
        "对象按文本参与签名、却以对象发送；应以 JSON 字符串发送",
    ),
    "nested_left_out": (
        "an object was sent and not signed; send it as a JSON string and sign that",
        "对象未参与签名；应以 JSON 字符串发送并参与签名",
    ),
    "field_left_out": (
        "a field was sent and not signed",
        "有字段已发送但未参与签名",
    ),
    "trailing_ampersand": (
        "an `&` was left behind the last field",
        "最后一个字段后多了 “&”",
    ),
    "charset_gbk": ("characters were signed as GBK; sign UTF-8", "以 GBK 字节签名；应使用 UTF-8"),
    "charset_utf8": (
        "GBK was sent and UTF-8 was signed; use one of them, best UTF-8",
        "发送的是 GBK、签名用的是 UTF-8；两者须一致，建议 UTF-8",
    ),
    "sign_type_signed": (
        "sign_type was signed; leave it out",
        "sign_type 参与了签名，应去掉",
    ),
    "sign_type_left_out": (
        "the field that names the algorithm was left out; it is signed",
        "签名类型字段未参与签名，应参与",
    ),
    "tail_key": (
        "the secret was appended as `&key=…`; append it bare",
        "密钥以 “&key=” 形式拼接；应直接拼接在末尾",
    ),
    "tail_bare": (
        "the secret was appended bare; append `&key=` and the secret",
        "密钥直接拼接在末尾；应以 “&key=” 形式拼接",
    ),
    "tail_key_no_ampersand": (
        "`key=` was appended without an `&` before it",
        "“key=” 前缺少 “&”",
    ),
    "tail_ampersand_bare": (
        "an `&` stands between the string and the secret",
        "签名串与密钥之间多了 “&”",
    ),
    "tail_before": (
        "the secret was put before the string; append it",
        "密钥拼接在签名串之前；应拼接在末尾",
    ),
    "tail_around": ("the secret was put on both sides", "密钥同时拼接在首尾"),
    "tail_none": ("no secret was appended", "没有拼接密钥"),
    "secret_line_end": (
        "a line end is part of the secret that was used: trim it where it is read",
        "所用密钥末尾带有换行，请去掉",
    ),
    "secret_blanks": (
        "the secret that was used has a blank more or less at an end",
        "所用密钥首尾的空格与账户不一致",
    ),
    "secret_case": (
        "the secret was used in another letter case",
        "所用密钥的大小写与账户不一致",
    ),
    "secret_missing": (
        "an empty secret was used: it is not configured where it is read",
        "所用密钥为空：可能未读到配置",
    ),
    "digest_base64": (
        "the digest was written in base64; write it in hex",
        "摘要以 base64 输出；应为十六进制",
    ),
    "digest_sha1": ("SHA-1 was used; use MD5", "使用了 SHA-1；应为 MD5"),
    "digest_sha256": ("SHA-256 was used; use MD5", "使用了 SHA-256；应为 MD5"),
    "digest_hmac": (
        "HMAC was used; use MD5 of the string with the secret behind it",
        "使用了 HMAC；应为签名串拼接密钥后的 MD5",
    ),
    "digest_twice": (
        "the string was hashed before it was signed; give RSA the string itself",
        "签名前先做了一次摘要；应直接对签名串做 RSA 签名",
    ),
    "algorithm_rsa_hash": (
        "RSA was used with another hash than the request says (RSA is SHA-1, RSA2 SHA-256 at "
        "Alipay; SHA-256 at Epay)",
        "RSA 使用的摘要算法与要求不符（支付宝 RSA 为 SHA-1、RSA2 为 SHA-256；易支付为 SHA-256）",
    ),
    "algorithm_other": (
        "the signature is of another kind than the request says (MD5 and RSA mixed up)",
        "签名种类与请求所述不符（MD5 与 RSA 混用）",
    ),
    "algorithm_unknown": (
        "the request names an algorithm that is not taken",
        "请求中的签名类型不受支持",
    ),
    "md5_not_taken": (
        "this account takes RSA only",
        "该账户只接受 RSA 签名",
    ),
    "hex_case": (
        "the digest is in upper case; this protocol compares it in lower case",
        "摘要为大写；该协议要求小写",
    ),
    "other_side": (
        "it was signed with the other side's key",
        "使用了对方的密钥签名",
    ),
    "sign_missing": ("there is no signature", "没有签名字段"),
    "sign_blanks": ("blanks or line ends stand around the signature", "签名首尾有空白或换行"),
    "sign_plus_lost": (
        "a `+` of the signature was not encoded and arrived as a blank; send it as %2B",
        "签名中的 “+” 未编码，到达时变成空格；应编码为 %2B",
    ),
    "sign_encoded_twice": (
        "the signature was URL-encoded twice",
        "签名被 URL 编码了两次",
    ),
    "sign_wrapped": (
        "the signature is broken into lines; send it as one",
        "签名被折行；应为一行",
    ),
    "sign_url_alphabet": (
        "the signature uses the URL alphabet of base64 (- and _); use + and /",
        "签名使用了 URL 安全的 base64（- 和 _）；应使用 + 和 /",
    ),
    "sign_not_base64": ("the signature is no base64", "签名不是合法的 base64"),
    "sign_length": (
        "the signature has not the length of one",
        "签名长度不正确",
    ),
    "key_kind": (
        "no key of the kind that this signature needs is there: MD5 takes the shared secret, RSA a "
        "public (or your private) key",
        "没有与签名种类相符的密钥：MD5 需要共享密钥，RSA 需要公钥（或您的私钥）",
    ),
    "wrong_key": (
        "it was not made with any of these keys, or a value was changed after it was signed",
        "签名与这些密钥都不匹配，或签名后有值被改动",
    ),
    "wrong_key_rsa": (
        "it was made with another private key: compare the public key that is registered with "
        "yours (`openssl rsa -pubout`)",
        "使用了另一把私钥：请核对登记的公钥是否由您的私钥导出（openssl rsa -pubout）",
    ),
    "value_changed": (
        "the key is right, and the string differs in a way that none of the known mistakes "
        "explains: compare your string with the one shown",
        "密钥正确，但签名串不同，且不属于已知的常见错误：请与所示签名串逐字比对",
    ),
    # Webhooks and the native API.
    "body_line_end": (
        "a line end was added to or taken from the body: use the raw bytes",
        "请求体首尾的换行有变化；应使用原始字节",
    ),
    "body_rewritten": (
        "the body is JSON that was read and written again: use the raw bytes",
        "请求体是解析后重新序列化的 JSON；应使用原始字节",
    ),
    "secret_not_decoded": (
        "the secret's text was used as the key; the key is what its base64 stands for",
        "直接使用了密钥文本；应先做 base64 解码",
    ),
    "secret_prefix": (
        "the prefix whsec_ was used as part of the secret",
        "把前缀 whsec_ 当作了密钥的一部分",
    ),
    "part_missing": (
        "the id or the time is missing in what was signed",
        "签名内容缺少 ID 或时间戳",
    ),
    "separator": ("the parts were joined otherwise", "各部分的连接方式不正确"),
    "time_unit": ("the time was signed in milliseconds", "时间戳使用了毫秒"),
    "query_left_out": ("the query was not signed", "查询参数未参与签名"),
    "whole_address": (
        "the whole address was signed; sign path and query only",
        "签名使用了完整网址；应只用路径与查询参数",
    ),
    "method_case": ("the method was signed in lower case", "请求方法使用了小写"),
    "body_not_hashed": (
        "the body itself was signed; sign the hex of its SHA-256",
        "直接使用了请求体；应使用其 SHA-256 的十六进制",
    ),
    "hex_and_base64": (
        "hex and base64 are mixed up in the signature",
        "签名的十六进制与 base64 混用",
    ),
    "version_missing": ("the prefix v1 is missing", "缺少 v1 前缀"),
}

NOTES: Mapping[str, tuple[str, str]] = {
    "older_key": (
        "signed with the older of the account's key sets; it ends with `merchant dialect rotate "
        "--only`",
        "使用的是账户较旧的一组密钥",
    ),
    "unknown_fields_signed": (
        "fields that the protocol does not have were signed too; that is taken here, a stock site "
        "would refuse it",
        "协议之外的字段也参与了签名；本网关接受，原版平台可能拒绝",
    ),
    "unknown_fields_unsigned": (
        "fields that the protocol does not have were not signed",
        "协议之外的字段未参与签名",
    ),
    "repeated": (
        "a field stands twice; the last one counts",
        "有字段重复出现，以最后一个为准",
    ),
    "classic": (
        "this notice was signed without sign_type (the classic variant); accept either",
        "该通知签名不含 sign_type（经典方式）；两种方式都应接受",
    ),
    "account_removed": (
        "this account was removed: it asks for nothing new",
        "该账户已停用，不再接受新订单",
    ),
    "time_window": (
        "the signature aside: the time is more than 300 s away from the gateway's clock",
        "签名之外：时间戳与网关时钟相差超过 300 秒",
    ),
    "time_form": (
        "the signature aside: `timestamp` must be ten digits (Unix seconds)",
        "签名之外：timestamp 须为 10 位秒级时间戳",
    ),
    "key_form_pkcs1": (
        "the private key given is PKCS #1; stock Epay and Java expect PKCS #8: "
        "openssl pkcs8 -topk8 -nocrypt -in key.pem",
        "所给私钥为 PKCS#1；易支付与 Java 通常要求 PKCS#8："
        "openssl pkcs8 -topk8 -nocrypt -in key.pem",
    ),
    "key_form_pkcs8": (
        "the private key given is PKCS #8; Alipay's Python SDK expects PKCS #1: "
        "openssl rsa -traditional -in key.pem",
        "所给私钥为 PKCS#8；支付宝 Python SDK 要求 PKCS#1：openssl rsa -traditional -in key.pem",
    ),
    "key_form_public_pkcs1": (
        "the public key given is PKCS #1; register it as SubjectPublicKeyInfo "
        "(openssl rsa -pubout)",
        "所给公钥为 PKCS#1；登记时应为 X.509 格式（openssl rsa -pubout）",
    ),
    "key_label": (
        "the key's PEM header does not say what is inside (PKCS #1 under BEGIN PRIVATE KEY, or "
        "the other way round): many libraries refuse it",
        "密钥的 PEM 头与内容不符（PKCS#1 与 PKCS#8 混用），许多库会拒绝",
    ),
    "key_blanks": (
        "the secret given has blanks or line ends at an end",
        "所给密钥首尾有空白或换行",
    ),
    "ours_hidden": (
        "our digest is not shown: with MD5 it would be a valid signature; compare the strings, or "
        "run this with your own key (`hangdao sign explain` without --account)",
        "不显示我方摘要：MD5 摘要本身就是有效签名；请比对签名串，或在本机用自己的密钥运行 "
        "hangdao sign explain（不带 --account）",
    ),
}
