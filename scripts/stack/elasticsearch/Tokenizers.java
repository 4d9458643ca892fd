import java.util.Map;
import org.apache.lucene.analysis.core.WhitespaceTokenizer;
import org.apache.lucene.analysis.ngram.NGramTokenizer;
import org.elasticsearch.index.analysis.AbstractTokenizerFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import org.apache.lucene.analysis.Tokenizer;

/** Tokenizers of the server's module analysis-common, which is not on Maven Central: the same classes of Lucene, names and defaults. */
public class Tokenizers extends Plugin implements AnalysisPlugin {
    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of(
            "ngram", (index, environment, name, settings) -> new AbstractTokenizerFactory(index, settings, name) {
                @Override
                public Tokenizer create() {
                    return new NGramTokenizer(settings.getAsInt("min_gram", 1), settings.getAsInt("max_gram", 2));
                }
            },
            "whitespace", (index, environment, name, settings) -> new AbstractTokenizerFactory(index, settings, name) {
                @Override
                public Tokenizer create() {
                    return new WhitespaceTokenizer(settings.getAsInt("max_token_length", 255));
                }
            });
    }
}
